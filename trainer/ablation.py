"""What is compared in an ablation: every suitable pair of encoding and module, with a head and a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SettingsError
from harness.hub import kinds
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import expect_batches
from harness.store import Store
from harness.toml import toml_value
from trainer.fitting import HeadSettings
from trainer.reduced import reduced_name

__all__ = [
    "NETWORK",
    "SOUND",
    "Combination",
    "combination_name",
    "combinations",
    "heads_file",
    "module_from_text",
    "takes_features",
]

NETWORK = "network"  # the head of a network, which is trained with it
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
        return {"encoding": self.encoding, "module": self.module.row, "head": self.head, "seed": str(self.seed)}


def takes_features(combination: Combination) -> bool:
    """Whether a combination is a head on the features of images, and not a network, or of sounds."""
    return combination.encoding != SOUND and not kinds.is_network(combination.module)


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


def module_from_text(text: str, *, name: str = "--module") -> ModuleSpec:
    """A module as it is written on a command line: a handle, or a table as in a study.

    Parameters
    ----------
    text : str
        ``cnn:small``, or ``{handle = "cnn:small", epochs = 5}``.
    name : str
        The option, for messages.

    Raises
    ------
    SettingsError
        As :func:`harness.hub.kinds.parse`.
    """
    given = toml_value(text) if text.lstrip().startswith("{") else text
    return kinds.parse(given, name_of=lambda setting: f"{name}: {setting}")


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
    networks = {m.row for m in modules if kinds.is_network(m)}
    given: dict[str, Sequence[object]] = {"encoding": encodings, "module": [m.row for m in modules], "seed": seeds}
    for what, names in given.items():
        for name in names:
            if list(names).count(name) > 1:
                other = '; named = "..." gives a network a name of its own' if name in networks else ""
                raise SettingsError(f"{what} {name!r} is given twice; each may be given once{other}")
    files: dict[str, str] = {}
    for module in modules:
        name = combination_name({"encoding": "", "module": module.row, "head": "", "seed": ""})
        if files.setdefault(name.lower(), module.row) != module.row:
            raise SettingsError(
                f"modules {files[name.lower()]!r} and {module.row!r} would have their heads in files of one name; "
                "rename one of the folders"
            )
    if not networks:
        expect_batches()
    found = []
    for module in modules:
        takes = kinds.describe(module.frozen(), store=store).takes
        if module.finetune and takes == "waveform":
            raise SettingsError(
                f"module {module.handle!r} takes the sound itself; only modules that take images can be fine-tuned: "
                "leave out finetune"
            )
        head = NETWORK if kinds.is_network(module) else settings.head
        suitable = [SOUND] if takes == "waveform" else [e for e in encodings if e != SOUND]
        found += [Combination(name, module, head, seed) for name in suitable for seed in seeds]
    return found
