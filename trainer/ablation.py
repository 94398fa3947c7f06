"""What is compared in an ablation: every suitable pair of encoding and module, with a head and a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SettingsError
from harness.hub import kinds
from harness.hub.handles import ModuleSpec
from harness.store import Store
from trainer.fitting import HeadSettings
from trainer.reduced import reduced_name

__all__ = ["SOUND", "Combination", "combination_name", "combinations", "heads_file"]

SOUND = "sound"  # the encoding of a module that takes the sound itself


@dataclass(frozen=True)
class Combination:
    """One row of the ablation: an encoding, a module, a head, a seed."""

    encoding: str
    module: ModuleSpec
    head: str
    seed: int

    def named(self) -> dict[str, str]:
        """The columns that name it in every table."""
        return {"encoding": self.encoding, "module": self.module.handle, "head": self.head, "seed": str(self.seed)}


def combination_name(named: Mapping[str, str]) -> str:
    """File name of a combination's heads.

    Examples
    --------
    >>> combination_name({"encoding": "gray", "module": "builtin:scattering", "head": "lbfgs", "seed": "0"})
    'gray--builtin_scattering--lbfgs--seed0'
    """
    return f"{reduced_name(named['encoding'], named['module'])}--{named['head']}--seed{named['seed']}"


def heads_file(run: str | Path, named: Mapping[str, str]) -> Path:
    """The file of a combination's heads in the folder of a run."""
    return Path(run) / "heads" / f"{combination_name(named)}.npz"


def combinations(
    encodings: Sequence[str],
    modules: Sequence[ModuleSpec],
    settings: HeadSettings,
    seeds: Sequence[int],
    *,
    store: Store,
) -> list[Combination]:
    """Every image module with every encoding of images, every waveform module with the sound.

    Raises
    ------
    SettingsError
        An encoding, a module or a seed is given twice, or two modules differ only in what cannot be in a file's name.
    ModuleError
        A module is not available: found out here, before any work is done.
    """
    given: dict[str, Sequence[object]] = {"encoding": encodings, "module": [m.handle for m in modules], "seed": seeds}
    for what, names in given.items():
        for name in names:
            if list(names).count(name) > 1:
                raise SettingsError(f"{what} {name!r} is given twice; each may be given once")
    files: dict[str, str] = {}
    for module in modules:
        name = combination_name({"encoding": "", "module": module.handle, "head": "", "seed": ""})
        if files.setdefault(name.lower(), module.handle) != module.handle:
            raise SettingsError(
                f"modules {files[name.lower()]!r} and {module.handle!r} would have their heads in files of one name; "
                "rename one of the folders"
            )
    found = []
    for module in modules:
        takes = kinds.describe(module, store=store).takes
        suitable = [SOUND] if takes == "waveform" else [e for e in encodings if e != SOUND]
        found += [Combination(name, module, settings.head, seed) for name in suitable for seed in seeds]
    return found
