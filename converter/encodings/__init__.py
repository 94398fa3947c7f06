"""The encodings, one module each; what they share is in :mod:`converter.spectrogram`, :mod:`converter.rgb`,
:mod:`converter.time_frequency` and :mod:`converter.spec`.

- `chroma`: pitch classes
- `cqt`: constant-Q transform, rows by octaves
- `gray`: log-mel spectrogram in gray
- `hpss`: what is steady, what is abrupt, and both, as red, green and blue
- `linear`: linear-frequency spectrogram in dB, in colour
- `logmel`: log-mel spectrogram, in colour
- `mel_delta`: log-mel spectrogram and how it changes, as red, green and blue
- `mel_power`: mel spectrogram without the logarithm, in colour
- `mfcc`: mel-frequency cepstral coefficients
- `multires`: log-mel spectrograms with three windows, as red, green and blue
- `pcen`: per-channel energy normalisation of mel bands
- `scalogram`: wavelet transform, rows by octaves
- `stereo`: the middle, the difference and both of two channels, as red, green and blue
- `waveform`: the clip's envelope

A module defines a class on :class:`converter.spec.Encoding` with a `name`; its docstring's first line is its
description.
"""
