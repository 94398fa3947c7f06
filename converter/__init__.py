"""Sound -> images: one class for each encoding, all drawn in one pass.

- `encodings`: ``linear``, ``logmel``, ``gray``, ``waveform`` and others, a module each
- `spec`: the base of every encoding; `time_frequency`: what those share that draw rows and frames; `spectrogram`: what
  the spectrograms among them share; `rgb`: what those share whose red, green and blue are three spectrograms
- `levels`: reference, decibels and silence, for all of them alike
- `registry`: which encodings there are, ours and others'
- `selection`: those that a study or a command line asks for; `presets`: ``seed``, the first project's images
- `settings_file`: eight settings as a CSV file; `pickled_settings`: the older files of that kind, nothing of them run
- `settings_panel`: sliders for these eight in a notebook
- `drawing`: one clip as an array or as PNGs
- `tiles`: a clip cut into equal parts, each an image of its own
- `augmenting`: sounds changed at random, drawn for training
- `planning`: the images of each clip; `pipeline`: many clips, many encodings, several processes, nothing drawn twice
- `ahead`: images that are drawn before they are asked for; `clip_work`: what a worker makes of a clip
- `in_memory`: clips that are drawn for modules alone, without image files
- `references`: one reference for all clips of a corpus
- `sound`: one clip's samples, and what its encodings share
- `dsp`: Fourier transform, mel bands, decibels; `filter_bank`: banks of wavelets, as constant-Q transforms have them
- `raster`: rows and columns of an image; `colour`: colour maps as lookup tables
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
