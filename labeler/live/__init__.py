"""Labels of sound as it comes: from a microphone, from a file, from standard input.

- `settings`: what a person says of it, and listening by that
- `listening`: the loop: sound -> windows -> scores -> whoever listens
- `opening`: the source that a person names
- `sources`: where sound comes from: a file (in real time or as fast as it goes), raw PCM
- `microphone`: the source that records, by PyAudio
- `ring`: samples between the thread that reads them and the loop
- `windowing`: which samples a window holds
- `smoothing`: scores from those of several windows
- `recording`: what was heard as a sound file
- `lines`: windows as lines of text or JSON
- `view`: the terminal as a display; `strip` is its spectrogram
- `osc`: windows as OSC messages
- `snapshot`: so many seconds as a sound file, an image and scores
- `commands`: ``labeler listen`` and ``labeler snapshot``
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
