"""Presets: sets of encodings under one name.

``seed`` draws as the project before this one did, with its quirks, and is the only preset that has any:

- amplitude_to_db was applied to mel *power*, so 80 dB of range are 40 in truth;
- the mel axis is librosa.display's (linear to 1 kHz, then logarithmic), in cells of one shade;
- its ``linear`` is mel power without the logarithm, on the numbers of the bands, 864 x 288 pixels;
- its waveform is blue on white, mirrored, with matplotlib's margin and smooth edges.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PRESETS"]

_LARGE = {"size": (400, 1200)}
_SEED_MEL = {**_LARGE, "axis": "symlog", "db": "amplitude"}
_SEED_WAVE = {**_LARGE, "style": "waveplot", "foreground": "#1f77b4", "background": "#ffffff"}

PRESETS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "seed": {
        "linear": ("mel_power", {"size": (288, 864), "axis": "flat"}),
        "logmel": ("logmel", _SEED_MEL),
        "gray": ("gray", _SEED_MEL),
        "waveform": ("waveform", _SEED_WAVE),
    }
}
"""By preset, then by the name that its images go under: the encoding, and its settings."""
