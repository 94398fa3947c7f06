"""What is unusual about the sounds of a table: which clips, and what it means for training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from corpora.levels import CANCELLED_DB
from harness.tables import Schema

__all__ = ["MISSING_S", "SOUNDS", "Finding", "findings"]

SOUNDS = Schema(
    "sounds.csv",
    text=("clip_id", "digest"),
    number=(
        "duration_s", "sample_rate", "channels", "peak", "level_db", "quiet_share", "dc", "mix_db",
        "clipped_samples", "silent", "missing_s",
    ),
    key=("clip_id",),
    filled=("clip_id",),
)  # fmt: skip
"""What each clip holds: length in seconds, rate in Hz, channels of its file, largest magnitude, level in dB of full
scale, share of its time below -60 dB, DC offset, level of the mean of its channels against theirs in dB, samples at
full scale in runs of three and more, 1 where it is silent, and the seconds of its part that its file does not have."""

_FAINT_DB = -50.0
_MOSTLY = 0.75
_DC = 0.01
_LOSS_DB = -6.0
MISSING_S = 0.011
"""Seconds that a part may lack: rounding."""
_SHORT_S = 0.1


@dataclass(frozen=True)
class Finding:
    """Clips that have something unusual in common.

    Parameters
    ----------
    name : str
        A word or two.
    meaning : str
        What it means, and what happens with such clips, in a sentence or two.
    clips : list of str
        Clip ids, the worst first.
    measured : list of str
        Of each clip, what was measured.
    """

    name: str
    meaning: str
    clips: list[str]
    measured: list[str]


class _Kind(NamedTuple):
    """One kind of finding: its clips, the worst first, and what was measured of each."""

    name: str
    of: Callable[[pd.DataFrame], pd.DataFrame]
    measured: Callable[[pd.Series], str]
    meaning: str


def findings(sounds: pd.DataFrame) -> list[Finding]:
    """What is unusual about sounds, the worst kinds first; kinds that no clip has are left out.

    Parameters
    ----------
    sounds : DataFrame
        As :data:`SOUNDS`.
    """
    found = []
    for kind in _KINDS:
        rows = kind.of(sounds)
        if len(rows):
            measured = [kind.measured(row) for _, row in rows.iterrows()]
            found.append(Finding(kind.name, kind.meaning, rows["clip_id"].tolist(), measured))
    return found


def _heard(sounds: pd.DataFrame) -> pd.DataFrame:
    return sounds[sounds["silent"] == 0]


_KINDS = (
    _Kind(
        "unreadable",
        lambda t: t[t["duration_s"].isna()],
        lambda row: "",
        "They are named in failures.csv when images are drawn, and no model sees them.",
    ),
    _Kind(
        "silent",
        lambda t: t[t["silent"] > 0],
        lambda row: f"peak {row['peak']:.2g}",
        "All samples are below -80 dB of full scale: there is nothing to hear, whatever the label says.",
    ),
    _Kind(
        "channels cancel",
        lambda t: _heard(t)[_heard(t)["mix_db"] < _LOSS_DB].sort_values("mix_db"),
        lambda row: f"{row['mix_db']:.0f} dB in mono",
        "The mean of their channels is much quieter than the channels, as where one channel's polarity is inverted. "
        f"Where it is {-CANCELLED_DB:.0f} dB below them, the strongest channel is used in its place; above that, what "
        "is left of the mean.",
    ),
    _Kind(
        "cut beyond the end",
        lambda t: t[t["missing_s"] > MISSING_S].sort_values("missing_s", ascending=False),
        lambda row: f"{row['missing_s']:.3g} s missing",
        "The table asks for more than their file has: they are shorter than its times say.",
    ),
    _Kind(
        "clipped",
        lambda t: t[t["clipped_samples"] > 0].sort_values("clipped_samples", ascending=False),
        lambda row: f"{row['clipped_samples']:.0f} samples",
        "Runs of three and more samples are at full scale: they were recorded too loud, and are distorted.",
    ),
    _Kind(
        "DC offset",
        lambda t: t[t["dc"].abs() > _DC].sort_values("dc", key=abs, ascending=False),
        lambda row: f"{100 * row['dc']:+.1f} % of full scale",
        "Their samples are not centred on zero, as from a faulty sound card; images show it at the lowest frequencies.",
    ),
    _Kind(
        "mostly silence",
        lambda t: _heard(t)[_heard(t)["quiet_share"] >= _MOSTLY].sort_values("quiet_share", ascending=False),
        lambda row: f"{100 * row['quiet_share']:.0f} % of {row['duration_s']:.3g} s",
        f"At least {100 * _MOSTLY:.0f} % of their time is below -60 dB of full scale. Where only some classes are "
        "padded, a model can tell them by that.",
    ),
    _Kind(
        "faint",
        lambda t: _heard(t)[_heard(t)["level_db"] < _FAINT_DB].sort_values("level_db"),
        lambda row: f"{row['level_db']:.0f} dB",
        f"Their level is below {_FAINT_DB:.0f} dB of full scale. Encodings that take a clip's maximum as reference "
        "raise its noise as well.",
    ),
    _Kind(
        "short",
        lambda t: t[t["duration_s"] < _SHORT_S].sort_values("duration_s"),
        lambda row: f"{1000 * row['duration_s']:.0f} ms",
        f"Shorter than {1000 * _SHORT_S:.0f} ms: a few frames of a spectrogram.",
    ),
)
