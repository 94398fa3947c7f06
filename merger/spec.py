"""What the spec of every merge has."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.files import digest_json

if TYPE_CHECKING:
    import numpy as np

__all__ = ["MergeSpec"]


class MergeSpec:
    """Base of the specs in :mod:`merger.methods`; each is a frozen dataclass on it."""

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> MergeSpec:
        """Check settings as a study gives them, without `how`, and make the spec."""
        raise TypeError(f"{cls.__name__}: each merge reads its own settings")

    @property
    def how(self) -> str:
        """Name of the merge: that of the module which defines the spec."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def partners(self) -> tuple[str, ...]:
        """The encodings that it needs, each once."""
        return tuple(dict.fromkeys(getattr(self, "of", ())))

    def settings(self) -> dict[str, Any]:
        """All settings as JSON values, without `how`."""
        raise TypeError(f"{type(self).__name__}: each merge gives its own settings")

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values, with `how`; ``spec_from_json`` reads it back."""
        return {"how": self.how, **self.settings()}

    def digest(self) -> str:
        """sha256 over all settings, 64 hex digits."""
        return digest_json(self.to_json())

    def merge(self, pictures: Mapping[str, np.ndarray]) -> np.ndarray:
        """Merge the pictures of one clip.

        Parameters
        ----------
        pictures : mapping of str to ndarray of uint8, shape (H, W, 3)
            By encoding.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3), or (H, W, 4) where the merge has an alpha channel

        Raises
        ------
        ImageError
            A picture is missing, or they do not fit.
        """
        merged: np.ndarray = import_module(type(self).__module__).merge(pictures, self)
        return merged
