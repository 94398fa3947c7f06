"""Model + sound -> labels.

- `loading`: a model folder, ready to score
- `scoring`: the class probabilities that its files give; `fused_scoring`: those of a fused model
- `model_modules`: its modules, the installed ones or its SavedModel's; `signatures`: a function of that
- `preprocess`: a sound or an image made ready exactly as the training images were
- `card_encodings`: the encodings that its images are drawn with: channels and tiles
- `long_sounds`: sounds far longer than the training clips
- `scanning`: the scores of a long recording, window by window
- `smoothing`, `detecting`: from scores to calls with times
- `calls`: calls counted, by recording and minute
- `scan_result`: one recording scanned from Python
- `recordings`: a scan of many recordings, in parallel and resumed
- `replacing`: one scan's results in a folder, none of those before
- `scanned`: the recordings of a scan, found and known again
- `score_blocks`: the scores of a scan on disk, from which it goes on
- `speed`: how far a scan has come, in times real time
- `extras`: what a scan writes besides its tables
- `options`, `thresholds`: options and thresholds as a command line has them
- `annotations`, `cutting`, `scan_images`: label files of other programs, cut-outs, images
- `truth`, `event_scores`, `calibrating`: thresholds from labelled recordings, by the F1 of events
- `density`: how many windows hold a call, from a few that are reviewed
- `review`, `review_page`: a page of detections to judge
- `live`: the microphone, and whatever sounds as it comes
- `predict`: many files, in batches, in flat memory
- `files`: files, folders and patterns as a list of files
- `output`: ranked lines, CSV, JSON lines
- `frozen_graph`: a frozen graph as a model, for ``label_image.py``
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
