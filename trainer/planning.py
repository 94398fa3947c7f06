"""How many feature vectors of a training the store has, found without loading a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness import audio, image
from harness.digests import FileDigests
from harness.errors import AudioError
from harness.hub import kinds
from harness.store import Store
from harness.tables import IMAGES, read
from harness.vectors import Vectors
from trainer.ablation import SOUND, Combination
from trainer.augmented_rows import originals
from trainer.sources import image_key, module_key, sound_key

__all__ = ["cached_features", "describe_networks", "module_keys"]


def cached_features(
    todo: Sequence[Combination], images_folder: str | Path, clips: pd.DataFrame, *, store: Store
) -> dict[tuple[str, str], tuple[int, int]]:
    """Count the feature vectors that the store has; networks have none.

    Parameters
    ----------
    todo : sequence of Combination
    images_folder : path
        Folder of ``images.csv``; where that is not there yet, no vector of an image counts as cached.
    clips : DataFrame
        The clips table.
    store : Store

    Returns
    -------
    dict of (encoding, module) to (cached, all)
    """
    file = Path(images_folder) / IMAGES.name
    images = originals(read(file, IMAGES)) if file.is_file() else None
    counts = {}
    digests = FileDigests(store)  # a plan adds nothing to them
    for encoding, module in dict.fromkeys((c.encoding, c.module) for c in todo if not kinds.is_network(c.module)):
        of_module = module_key(module, kinds.describe(module, store=store))
        if encoding == SOUND:
            keys = _sound_keys(clips, of_module, digests)
        elif images is None:
            keys = []
        else:
            paths = [Path(images_folder) / p for p in images.loc[images["encoding"] == encoding, "path"]]
            keys = [image_key(image.digest_of(p, digests), of_module) for p in paths if p.is_file()]
        counts[encoding, module.handle] = (Vectors(store).count(keys), len(clips))
    return counts


def describe_networks(todo: Sequence[Combination]) -> list[str]:
    """What will be trained of each encoding and network, in words.

    Parameters
    ----------
    todo : sequence of Combination
    """
    lines = []
    for encoding, module in dict.fromkeys((c.encoding, c.module) for c in todo if kinds.is_network(c.module)):
        settings = kinds.network_settings(module)
        epochs = f"up to {settings.epochs} epochs, then again" if settings.patience else f"{settings.epochs} epochs"
        lines.append(f"{encoding} through {module.row}: a network for each fold, {epochs}; what the store has is used")
    return lines


def module_keys(todo: Sequence[Combination], *, store: Store) -> list[dict[str, Any]]:
    """What each module contributes to the keys of its features: its content, its code, what it computes in."""
    modules = dict.fromkeys(c.module for c in todo)
    return [module_key(module, kinds.describe(module, store=store)) for module in modules]


def _sound_keys(clips: pd.DataFrame, of_module: Mapping[str, Any], digests: FileDigests) -> list[str]:
    keys = []
    for row in clips.itertuples():
        try:
            own = audio.digest(row.path, start_s=row.start_s, end_s=row.end_s, digests=digests)
        except AudioError:  # will be named when it is read
            continue
        keys.append(sound_key(own, of_module))
    return keys
