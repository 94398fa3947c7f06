"""Sound -> pictures: one module per encoding, all drawn in one pass.

- `catalogue`: which encodings there are; specs by name, from JSON, from a study
- `clips`: clips with the digests of their sounds
- `colour`: colour maps as lookup tables
- `convert`: many clips, many encodings, several processes, nothing drawn twice
- `drawing`: one picture of one sound
- `encodings`: ``linear``, ``logmel``, ``gray``, ``waveform``, ``mel_power``; a new one is a new file
- `layout`: rows and columns of a spectrogram's picture
- `options`: the command line's words as specs
- `presets`: ``seed``, the first project's pictures
- `references`: one reference for all clips of a corpus
- `settings`: what an encoding can be told, and the checks
- `sound`: one clip's samples, and what its encodings share
- `spectra`: Fourier transform, mel bands, decibels
- `spectral`: what all spectrograms share
"""

__all__ = [
    "catalogue",
    "clips",
    "colour",
    "convert",
    "drawing",
    "encodings",
    "layout",
    "options",
    "presets",
    "references",
    "settings",
    "sound",
    "spectra",
    "spectral",
]
