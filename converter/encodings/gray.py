"""The encoding ``gray``."""

from converter.spectrogram import DecibelSpectrogram, MelSpectrogram

__all__ = ["Gray"]


class Gray(MelSpectrogram, DecibelSpectrogram):
    """Log-mel spectrogram in gray: the same shades as logmel's, without colours."""

    name = "gray"
