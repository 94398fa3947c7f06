"""The base of every merge method: its settings, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from harness.errors import SettingsError, SoundfoldError
from harness.extension import SettingsExtension

__all__ = ["MergeMethod"]


class MergeMethod(SettingsExtension):
    """A way to merge several images of a clip into one; see ``docs/extending.md``.

    A method has a setting `of`, the images that it merges, or overrides `partners`.
    """

    name: ClassVar[str] = ""
    """The method's name in studies: ``how = "stack"``."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Say in messages which method it is."""
        cls.title = f"merge method {cls.name!r}" if cls.name else ""

    @property
    def partners(self) -> tuple[str, ...]:
        """The encodings that it needs, each once."""
        return tuple(dict.fromkeys(getattr(self, "of", ())))

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """Merge the images of one clip; each method has its own.

        Parameters
        ----------
        images : mapping of str to ndarray of uint8, shape (H, W, 3)
            By encoding.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3), or (H, W, 4) with an alpha channel

        Raises
        ------
        ImageError
            An image is missing, or they do not fit.
        """
        raise TypeError(f"{type(self).__name__} is no merge method of its own: it has no method merge")

    def checked(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """Merge images by :meth:`merge`, and check what that gives.

        Raises
        ------
        SettingsError
            The method fails, or gives something else than uint8 of shape (H, W, 3) or (H, W, 4).
        """
        try:
            pixels = self.merge(images)
        except SoundfoldError:
            raise
        except Exception as error:  # whatever somebody's method raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise SettingsError(f"merge method {self.name!r}: its method merge failed ({reason})") from error
        if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[2:] not in ((3,), (4,)):
            got = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise SettingsError(f"merge method {self.name!r}: gave {got}, expected uint8 (H, W, 3) or (H, W, 4)")
        return pixels

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values, with the method's name as ``how``."""
        return {"how": self.name, **super().to_json()}
