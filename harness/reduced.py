"""Feature vectors reduced to a few principal components: files in the folder of a run, for maps and nearest clips.

One file for each encoding and module, ``features/<name>.npz``, written by the trainer, read by the evaluator. They
serve to show clips, and no figure depends on them.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.errors import TableError
from harness.files import write_bytes

__all__ = ["FOLDER", "ReducedFeatures", "read_all_reduced"]

FOLDER = "features"
"""Name of their folder in that of a run."""

_COLUMNS = ["clip_id", "label", "fold", "group"]


@dataclass(frozen=True, eq=False)
class ReducedFeatures:
    """Where each clip lies by the feature vectors of one encoding and module.

    Parameters
    ----------
    encoding, module : str
        As in ``predictions.csv``.
    clips : DataFrame
        clip_id, label, fold and group of n clips.
    coordinates : ndarray of float16, shape (n, k)
        Principal components of the standardised feature vectors of all clips, the largest first.
    share : ndarray of float64, shape (k,)
        Share of the variance that each component has, in [0, 1].
    """

    encoding: str
    module: str
    clips: pd.DataFrame
    coordinates: np.ndarray
    share: np.ndarray

    def to_bytes(self) -> bytes:
        """The bytes of an npz file; the same features give the same bytes."""
        about = {"encoding": self.encoding, "module": self.module}
        rows = {name: self.clips[name].tolist() for name in _COLUMNS}
        text = json.dumps({**about, "clips": rows}, ensure_ascii=True).encode()
        buffer = io.BytesIO()
        np.savez(
            buffer,
            about=np.frombuffer(text, np.uint8),
            coordinates=self.coordinates.astype(np.float16),
            share=self.share.astype(np.float64),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> ReducedFeatures:
        """Read what :meth:`to_bytes` gave."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            clips = pd.DataFrame({name: np.array(about["clips"][name], object) for name in _COLUMNS})
            found = cls(about["encoding"], about["module"], clips, arrays["coordinates"], arrays["share"])
        if found.coordinates.ndim != 2 or len(found.coordinates) != len(clips):
            raise ValueError(f"coordinates of {found.coordinates.shape[:1]} clips, expected {len(clips)}")
        return found

    def write(self, path: str | Path) -> bytes:
        """Write the file, where it is not there already with these bytes; give them."""
        data, path = self.to_bytes(), Path(path)
        if not (path.is_file() and path.read_bytes() == data):
            write_bytes(path, data)
        return data


def read_all_reduced(run: str | Path) -> list[ReducedFeatures]:
    """The reduced features of a run, in the order of their files' names; none where the run has none.

    Raises
    ------
    TableError
        A file that is damaged.
    """
    found = []
    for path in sorted((Path(run) / FOLDER).glob("*.npz")):
        try:
            found.append(ReducedFeatures.from_bytes(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise TableError(
                f"{path}: not readable as reduced features ({error}); remove it, and train again to have it written"
            ) from error
    return found
