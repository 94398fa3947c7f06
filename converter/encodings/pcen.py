"""The encoding ``pcen``."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import PlainValidator

from converter.levels import level
from converter.sound import Sound
from converter.spectrogram import ColourSpectrogram, MelSpectrogram
from harness.settings import PositiveFloat, at_least

__all__ = ["Pcen", "normalise_energy"]

_FULL_SCALE = np.float32(2**31)  # the parameters are made for samples of 32-bit integers


class Pcen(MelSpectrogram, ColourSpectrogram):
    """Per-channel energy normalisation: what rises above each mel band's own recent level; steady noise is dark.

    Wang et al., "Trainable frontend for robust and far-field keyword spotting", ICASSP 2017, with the parameters of
    ``librosa.pcen``, on a mel spectrogram of magnitudes. Suited to calls before steady noise (Lostanlen et al., 2019).

    Parameters
    ----------
    gain : float
        How much of a band's own level is taken off: 0 nothing, 1 all.
    bias : float
        What is added before the root is taken, and then taken off again.
    root : float
        Exponent that compresses loud values; ``power`` in librosa.pcen.
    time_constant : float
        Over how many seconds a band's own level is averaged.
    eps : float
        The smallest level of a band.
    """

    name = "pcen"

    power: PositiveFloat = 1.0
    gain: Annotated[float, PlainValidator(at_least(0))] = 0.98
    bias: PositiveFloat = 2.0
    root: PositiveFloat = 0.5
    time_constant: PositiveFloat = 0.4
    eps: PositiveFloat = 1e-6

    def values(self, sound: Sound) -> np.ndarray:
        """The normalised mel bands, float32 of shape (n_mels, frames)."""
        return normalise_energy(
            super().values(sound) * _FULL_SCALE**self.power,
            frame_s=self.hop_length / self.sample_rate,
            gain=self.gain,
            bias=self.bias,
            root=self.root,
            time_constant=self.time_constant,
            eps=self.eps,
        )

    def levels(self, values: np.ndarray) -> np.ndarray:
        """Ratios of the values to the reference."""
        return level(values, power=self.power, ref=self.ref, top_db=None)


def normalise_energy(
    S: np.ndarray, *, frame_s: float, gain: float, bias: float, root: float, time_constant: float, eps: float
) -> np.ndarray:
    """Per-channel energy normalisation of a spectrogram; parameters as in :class:`Pcen`.

    Parameters
    ----------
    S : ndarray of float32, shape (rows, frames)
        Not negative; of samples in the range of 32-bit integers.
    frame_s : float
        Seconds from frame to frame.

    Returns
    -------
    ndarray of float32, shape of `S`
        ``librosa.pcen(S, sr=sr, hop_length=hop_length, power=root, ...)``, but that the average of each row begins with
        its first value, not with 1: a clip does not begin with a flash.
    """
    frames = time_constant / frame_s
    weight = (np.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2)
    smooth = np.empty(S.T.shape, np.float32)
    mean = S[:, 0].astype(np.float64)
    for k, frame in enumerate(S.T):
        mean = weight * frame + (1 - weight) * mean
        smooth[k] = mean
    smooth = np.exp(np.float32(-gain) * (np.float32(np.log(eps)) + np.log1p(smooth / np.float32(eps))))
    rooted = np.float32(root) * np.log1p(S * smooth.T / np.float32(bias))
    out: np.ndarray = np.float32(bias**root) * np.expm1(rooted)
    return out
