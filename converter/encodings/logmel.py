"""The encoding ``logmel``."""

from converter.spectrogram import ColourSpectrogram, DecibelSpectrogram, MelSpectrogram

__all__ = ["LogMel"]


class LogMel(MelSpectrogram, DecibelSpectrogram, ColourSpectrogram):
    """Log-mel spectrogram: mel bands in dB, in colour."""

    name = "logmel"
