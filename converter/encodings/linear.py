"""The encoding ``linear``."""

from converter.spectrogram import ColourSpectrogram, DecibelSpectrogram

__all__ = ["Linear"]


class Linear(DecibelSpectrogram, ColourSpectrogram):
    """Linear-frequency spectrogram: the short-time Fourier transform in dB, in colour."""

    name = "linear"
