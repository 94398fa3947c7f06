"""Model + sound -> labels.

- `loading`: a model folder, ready to score
- `preprocess`: a sound or an image made ready exactly as the training images were
- `long_sounds`: sounds far longer than the training clips
- `scanning`: long recordings, window by window
- `live`: the microphone, and whatever sounds as it comes
- `predict`: many files, in batches, in flat memory
- `files`: files, folders and patterns as a list of files
- `output`: ranked lines, CSV, JSON lines
- `frozen_graph`: a frozen graph as a model, for ``label_image.py``
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
