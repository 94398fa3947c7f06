"""What of a training the store already has, found without loading a module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness import audio, hub
from harness.errors import AudioError
from harness.store import Store
from harness.tables import IMAGES, read
from trainer.bottlenecks import image_key, sound_key
from trainer.running import SOUND, Combination

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cached_features"]


def cached_features(
    todo: Sequence[Combination], images_folder: str | Path, clips: pd.DataFrame, *, store: Store
) -> dict[tuple[str, str], tuple[int, int]]:
    """Count the feature vectors that the store has.

    Parameters
    ----------
    todo : sequence of Combination
    images_folder : path
        Folder of ``images.csv``; where it is not there yet, nothing of the pictures counts as cached.
    clips : DataFrame
        The clips table.
    store : Store

    Returns
    -------
    dict of (encoding, module) to (cached, all)
    """
    table = Path(images_folder) / IMAGES.name
    images = read(table, IMAGES) if table.is_file() else None
    counts = {}
    for encoding, module in dict.fromkeys((c.encoding, c.module) for c in todo):
        info = hub.describe(module, store=store)
        if encoding == SOUND:
            keys = _sound_keys(clips, info)
        elif images is None:
            keys = []
        else:
            paths = [Path(images_folder) / p for p in images.loc[images["encoding"] == encoding, "path"]]
            keys = [image_key(p.read_bytes(), info) for p in paths if p.is_file()]
        found = sum(store.path("features", key, ".npy").is_file() for key in keys)
        counts[encoding, module.handle] = (found, len(clips))
    return counts


def _sound_keys(clips: pd.DataFrame, info: hub.ModuleInfo) -> list[str]:
    keys = []
    for row in clips.itertuples():
        try:
            keys.append(sound_key(audio.digest(row.path, start_s=row.start_s, end_s=row.end_s), info))
        except AudioError:  # will be named when it is read
            continue
    return keys
