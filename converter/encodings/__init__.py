"""The encodings, one module each; what they share is in :mod:`converter.spectrogram` and :mod:`converter.spec`.

- `gray`: log-mel spectrogram in gray
- `linear`: linear-frequency spectrogram in dB, in colour
- `logmel`: log-mel spectrogram, in colour
- `mel_power`: mel spectrogram without the logarithm, in colour
- `waveform`: the clip's envelope

A module defines a class on :class:`converter.spec.Encoding` with a `name`; its docstring's first line is its
description.
"""
