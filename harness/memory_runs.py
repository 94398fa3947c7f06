"""What a run has of images that were drawn in memory: rows without a path, and the images behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from harness.images import ImageRun
from harness.memory_images import MemoryImage

__all__ = ["MemoryRun", "rows_of"]


@dataclass(frozen=True)
class MemoryRun(ImageRun):
    """What was drawn in memory; its rows have no path.

    Parameters
    ----------
    drawn : mapping of (clip_id, name) to MemoryImage
    computed : int
        Feature vectors that the store did not have.
    """

    drawn: Mapping[tuple[str, str], MemoryImage] = field(default_factory=dict)
    computed: int = 0

    @classmethod
    def of(cls, run: ImageRun, drawn: Mapping[tuple[str, str], MemoryImage], *, computed: int) -> MemoryRun:
        """A run whose rows have no path, with the images behind them."""
        return cls(run.images, run.failures, run.recipes, run.warnings, drawn, computed)

    def with_absolute_paths(self, folder: str | Path) -> pd.DataFrame:
        """The rows with the paths that the images would have, and a column ``image`` of :class:`MemoryImage`."""
        root = Path(folder).resolve()
        found = [self.drawn[key] for key in zip(self.images["clip_id"], self.images["encoding"], strict=True)]
        return self.images.assign(path=[str(root / str(each.row["path"])) for each in found], image=found)


def rows_of(images: Iterable[MemoryImage]) -> Iterator[dict[str, object]]:
    """Rows of ``images.csv``; they have no path."""
    return ({**each.row, "path": ""} for each in images)
