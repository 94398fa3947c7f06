"""Whether the packages that Python finds under our names are ours: the names are generic, and others use them, too."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from harness.errors import SoundfoldError

__all__ = ["PACKAGES", "check_packages"]

PACKAGES = ("converter", "corpora", "evaluator", "harness", "labeler", "merger", "trainer")
SCRIPTS = ("label_image", "retrain", "study")
_LAZY = "lazy.attach_stub"


def check_packages() -> None:
    """Refuse to go on with a foreign package of the same name in the way.

    A package is ours where its ``__init__`` lies next to that of `harness` and is the lazy one that all of ours have: a
    foreign package installed later replaces it and leaves our modules around it. A script is ours where it lies next to
    the packages.

    Raises
    ------
    SoundfoldError
        Naming the package or script and where it lies.
    """
    home = Path(__file__).resolve().parents[1]
    for name in (*PACKAGES, *SCRIPTS):
        spec = None if getattr(sys.modules.get(name), "__spec__", ...) is None else find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if name in SCRIPTS:
            ours = found is None or found.parent == home
        else:
            ours = found is not None and found.parents[1] == home and _LAZY in found.read_text(encoding="utf-8")
        if not ours:
            kind = "script" if name in SCRIPTS else "package"
            raise SoundfoldError(
                f"the {kind} {name!r} that Python finds ({found or 'none'}) is not soundfold's: another installed "
                "package, or a file or folder here, has that name. Install soundfold into an environment of its own "
                "(uv tool install soundfold, or pipx install soundfold), or start it elsewhere"
            )
