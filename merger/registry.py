"""Which merges there are, and specs by name: from JSON, from a study's tables."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import SettingsError, did_you_mean
from harness.files import digest_bytes
from merger.spec import MergeSpec

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "code_version",
    "describe",
    "flatten",
    "make_spec",
    "methods",
    "spec_from_json",
    "specs_from_study",
]

_HERE = Path(__file__).parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@lru_cache(maxsize=1)
def methods() -> tuple[str, ...]:
    """The merges that there are: the modules in ``merger/methods``, sorted."""
    found = pkgutil.iter_modules([str(_HERE / "methods")])
    return tuple(sorted(m.name for m in found if not m.name.startswith("_")))


def describe(how: str) -> str:
    """First line of a merge's description."""
    return (_module(how).__doc__ or "").strip().partition("\n")[0]


def make_spec(how: str, settings: Mapping[str, Any], *, where: str = "") -> MergeSpec:
    """Make the spec of a merge.

    Raises
    ------
    SettingsError
        No such merge, no such setting, a value out of range; `where` is said before it.

    Examples
    --------
    >>> make_spec("stack", {"of": ["logmel", "waveform"]}).partners
    ('logmel', 'waveform')
    """
    try:
        spec: MergeSpec = _module(how).Spec.from_settings(settings)
    except SettingsError as error:
        raise SettingsError(f"{where}{error}") from None
    return spec


def spec_from_json(value: Mapping[str, Any]) -> MergeSpec:
    """Read back what ``spec.to_json()`` gave, or a study's ``[merge.<name>]`` table."""
    return _from_table(value, where="")


def specs_from_study(table: Mapping[str, Any], encodings: Collection[str]) -> dict[str, MergeSpec]:
    """Make the specs that a study's ``[merge.<name>]`` tables ask for.

    Parameters
    ----------
    table : mapping
        By the name that the merged pictures go under.
    encodings : collection of str
        The encodings that are drawn.

    Raises
    ------
    SettingsError
        A name that is taken, a partner that is not drawn, and what :func:`make_spec` refuses.
    """
    specs = {}
    for name, settings in table.items():
        where = f"[merge.{name}] "
        if not isinstance(settings, Mapping):
            raise SettingsError(f"[merge] {name}={settings!r}: must be a table, [merge.{name}] how = ...")
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{where}a name has letters, digits, '_', '-' and '.' only")
        if name in encodings:
            raise SettingsError(f"{where}an encoding has that name already; give the merge another")
        specs[name] = _from_table(settings, where=where)
        for partner in specs[name].partners:
            if partner not in encodings:
                raise SettingsError(
                    f"{where}{partner!r} is not among the encodings; {did_you_mean(partner, encodings)}"
                )
    return specs


def flatten(pixels: np.ndarray) -> np.ndarray:
    """A merged picture as it reads from its file: without alpha, laid over black.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    from harness import image

    return pixels if pixels.shape[2] == 3 else image.decode(image.encode_png(pixels))


@lru_cache(maxsize=64)
def code_version(how: str) -> str:
    """sha256 over the source of everything that decides about a merge's pixels, 64 hex digits."""
    import harness

    files = [_HERE / "methods" / f"{how}.py", _HERE / "pixels.py", Path(str(harness.__file__)).parent / "image.py"]
    return digest_bytes(b"\0".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files))


def _from_table(table: Mapping[str, Any], *, where: str) -> MergeSpec:
    settings = dict(table)
    if "how" not in settings:
        raise SettingsError(f"{where}how is missing; available: {', '.join(methods())}")
    return make_spec(settings.pop("how"), settings, where=where)


def _module(how: str) -> Any:
    if how not in methods():
        raise SettingsError(f"how={how!r}: no such merge; {did_you_mean(str(how), methods())}")
    return import_module(f"merger.methods.{how}")
