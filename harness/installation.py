"""Whether the packages that Python finds under our names are ours: the names are generic, and others use them, too."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from harness.errors import SoundfoldError

__all__ = ["PACKAGES", "check_packages"]

PACKAGES = ("converter", "corpora", "evaluator", "harness", "labeler", "merger", "trainer")


def check_packages() -> None:
    """Refuse to go on with a foreign package of the same name in the way.

    A package is ours where its ``__init__`` lies next to that of `harness` and is the lazy one that all of ours have: a
    foreign package installed later replaces it and leaves our modules around it.

    Raises
    ------
    SoundfoldError
        Naming the package and where it lies.
    """
    home = Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found is None or found.parents[1] != home or "lazy.attach_stub" not in found.read_text(encoding="utf-8"):
            raise SoundfoldError(
                f"the package {name!r} that Python finds ({found or 'none'}) is not soundfold's: another installed "
                "package or a folder here has that name. Install soundfold into an environment of its own "
                "(uv tool install soundfold, or pipx install soundfold), or start it elsewhere"
            )
