"""Which entries of a store a run used: one small record in the store for each step of each run folder.

A record is a JSON entry (folder, step, computer, time) and an array of the first eight bytes of the keys, both
under one key. Eight bytes are enough to say what may be removed: where two keys share them, one entry too many stays.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from harness.errors import SettingsError
from harness.store import Store, key_of

__all__ = ["KIND", "RunRecord", "key_numbers", "needed_by_none_but", "record_use", "recorded_runs", "records_below"]

KIND = "runs"


@dataclass(frozen=True)
class RunRecord:
    """What is known of one step of a run.

    Parameters
    ----------
    key : str
        Of the record in the store.
    folder : str
        The run folder, absolute.
    step : str
        ``convert``, ``merge``, ``train`` ...
    computer : str
        Where it ran.
    recorded : str
        When, in UTC, as ISO 8601.
    """

    key: str
    folder: str
    step: str
    computer: str
    recorded: str

    @property
    def is_gone(self) -> bool:
        """Whether the run was made on this computer, and its folder is not there any more."""
        return self.computer == platform.node() and not os.path.exists(self.folder)


def record_use(store: Store, folder: str | Path, step: str, keys: Sequence[str] | np.ndarray) -> None:
    """Note that a step of a run used these entries, besides those that it used earlier.

    A store that cannot be written to goes without.

    Parameters
    ----------
    store : Store
    folder : path
        The run folder.
    step : str
    keys : sequence of str, or ndarray of uint64
        Keys of images, feature vectors, heads ..., 64 hex digits each (those of a vector, not of its file), or what
        :func:`key_numbers` gives of them.
    """
    about = {"folder": os.path.realpath(folder), "step": step, "computer": platform.node()}
    key = key_of(**about)
    with suppress(OSError, UnicodeEncodeError):  # a folder whose name is not UTF-8 has no record
        earlier = store.get_array(KIND, key)
        numbers = np.zeros(0, np.uint64) if earlier is None else earlier
        new = np.union1d(numbers, keys if isinstance(keys, np.ndarray) else key_numbers(keys))
        if earlier is None or len(new) > len(earlier):
            store.put_array(KIND, key, new)
        store.put_json(KIND, key, {**about, "recorded": datetime.now(UTC).isoformat(timespec="seconds")})


def recorded_runs(store: Store) -> list[RunRecord]:
    """All records of a store, the newest first; what is damaged is passed over."""
    found = []
    for path in sorted((store.root / KIND).glob("[0-9a-f][0-9a-f]/*.json")):
        with suppress(OSError, TypeError, ValueError):
            about = store.get_json(KIND, path.stem)
            if isinstance(about, dict):
                found.append(RunRecord(key=path.stem, **about))
    return sorted(found, key=lambda record: record.recorded, reverse=True)


def records_below(records: Sequence[RunRecord], folder: str | Path) -> list[RunRecord]:
    """The records of a run folder and of folders in it.

    Raises
    ------
    SettingsError
        There are none.
    """
    root = os.path.realpath(folder)
    found = [each for each in records if each.folder == root or each.folder.startswith(root.rstrip(os.sep) + os.sep)]
    if not found:
        raise SettingsError(
            f"--run {str(folder)!r}: the store has no record of what this run used; expected the folder of a run that "
            "used this store (`soundfold store` names them)"
        )
    return found


def needed_by_none_but(store: Store, records: Sequence[RunRecord], among: Sequence[RunRecord]) -> np.ndarray:
    """What only these records need, as :func:`key_numbers`, sorted.

    Parameters
    ----------
    store : Store
    records : sequence of RunRecord
    among : sequence of RunRecord
        All records of the store.

    Raises
    ------
    SettingsError
        A record is damaged, so that it is not known what its run needs.
    """
    wanted = {record.key for record in records}
    nothing = np.zeros(0, np.uint64)
    own = [_numbers(store, record) for record in among if record.key in wanted]
    others = [_numbers(store, record) for record in among if record.key not in wanted]
    return np.setdiff1d(np.concatenate([nothing, *own]), np.concatenate([nothing, *others]))


def _numbers(store: Store, record: RunRecord) -> np.ndarray:
    found = store.get_array(KIND, record.key)
    if found is None or found.dtype != np.uint64 or found.ndim != 1:
        raise SettingsError(
            f"the store's record of {record.folder} ({record.step}) is damaged: `soundfold store verify --remove` "
            "removes it; then run that step again, or go without it"
        )
    return found


def key_numbers(keys: Sequence[str]) -> np.ndarray:
    """The first eight bytes of each key (64 hex digits) as a number; ndarray of uint64."""
    starts = bytes.fromhex("".join(key[:16] for key in keys))
    found: np.ndarray = np.frombuffer(starts, ">u8").astype(np.uint64)
    return found
