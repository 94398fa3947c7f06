"""The encoding ``mel_power``."""

from converter.spectrogram import ColourSpectrogram, MelSpectrogram

__all__ = ["MelPower"]


class MelPower(MelSpectrogram, ColourSpectrogram):
    """Mel spectrogram without the logarithm, in colour."""

    name = "mel_power"
