"""A study as a TOML file: its sections, its defaults, and one clear line for what is misspelt.

``[convert]`` and ``[merge]`` are checked by the converter and the merger, who know what can be told.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import SettingsError, did_you_mean
from harness.hub.handles import ModuleSpec, parse
from harness.toml import apply_settings, read_toml

__all__ = ["Corpus", "Evaluate", "Study", "Train", "read_study"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Corpus(_Section):
    """``[corpus]``: which sounds."""

    name: str = "demo"
    root: str = ""
    classes: list[str] = []
    pattern: str = ""
    subset: str = ""
    columns: dict[str, str] = {}
    folds: int = Field(default=0, ge=0)
    seed: int = 0
    allow_shared_groups: bool = False


class Train(_Section):
    """``[train]``: which modules, which head, which seeds."""

    modules: list[str | dict[str, Any]] = ["builtin:scattering"]
    head: str = "lbfgs"
    seeds: list[int] = Field(default=[0], min_length=1)
    strengths: list[float] = []
    steps: int = Field(default=4000, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    train_batch_size: int = Field(default=100, ge=1)


class Evaluate(_Section):
    """``[evaluate]``: what is held against what."""

    baseline: str = ""


class Study(_Section):
    """One ablation.

    Parameters
    ----------
    corpus, train, evaluate : sections
    convert, merge : dict
        As the file has them.
    """

    corpus: Corpus = Corpus()
    convert: dict[str, Any] = {}
    merge: dict[str, Any] = {}
    train: Train = Train()
    evaluate: Evaluate = Evaluate()


def read_study(path: str | Path, settings: Sequence[str] = ()) -> tuple[Study, list[ModuleSpec]]:
    """Read a study and lay ``--set`` settings over it.

    Parameters
    ----------
    path : path
        The TOML file. Paths in it are relative to its folder.
    settings : sequence of str
        ``section.key=value``. Paths in them are relative to the working directory.

    Returns
    -------
    study : Study
        ``corpus.root`` is absolute, or empty.
    modules : list of ModuleSpec
        Each with the folder that its path is relative to.

    Raises
    ------
    SettingsError
        An unknown key (with what it may have meant) or a value of the wrong kind.
    """
    path = Path(path)
    in_file = read_toml(path)
    study = _checked(apply_settings(in_file, list(settings)), path)
    told = {setting.partition("=")[0].replace(" ", "") for setting in settings}
    home, here = path.resolve().parent, Path.cwd()
    if study.corpus.root:
        base = here if told & {"corpus", "corpus.root"} else home
        root = os.path.abspath(base / Path(study.corpus.root).expanduser())
        study = study.model_copy(update={"corpus": study.corpus.model_copy(update={"root": root})})
    base = here if told & {"train", "train.modules"} else home
    return study, [parse(module, base=base) for module in study.train.modules]


def _checked(table: Mapping[str, Any], path: Path) -> Study:
    try:
        return Study.model_validate(table)
    except ValidationError as error:
        raise SettingsError(f"{path}: {_first_line(error)}") from None


def _first_line(error: ValidationError) -> str:
    """The first mistake, as a person would say it."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        sections = {name: field.annotation for name, field in Study.model_fields.items()}
        section = sections.get(where[0]) if len(where) > 1 else Study
        known = section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else sections
        place = f"[{where[0]}]" if len(where) > 1 else "section"
        return f"{place} {where[-1]!r} is not known; {did_you_mean(where[-1], known)}"
    name = ".".join(part for part in where if part != "str" and not part.startswith("dict["))
    return f"{name}={first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
