"""A study as a TOML file: its sections, its defaults, and one clear line for what is misspelt.

``[convert]``, but for ``keep_images``, its table ``augment``, ``[merge]`` and ``[fuse]`` are read by the converter, the
merger and the trainer, who know the settings of each encoding, and which rows there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.errors import SettingsError, did_you_mean
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import parse
from harness.label_changes import Scope
from harness.registry import load_plugins
from harness.remote import as_path
from harness.settings import Namer, Settings, field_error
from harness.shared_groups import Policy
from harness.toml import apply_settings, read_toml
from harness.urls import absolute, expanded, located

__all__ = [
    "CorpusSection",
    "EvaluateSection",
    "PluginsSection",
    "Study",
    "TrainSection",
    "name_in",
    "read_study",
]

_IMAGE_FILES, _AUGMENT = "keep_images", "augment"  # keys of [convert] that are no settings of encodings


class CorpusSection(Settings):
    """``[corpus]``: which sounds."""

    name: str = "demo"
    root: str = ""
    classes: list[str] = Field(default_factory=list)
    pattern: str = ""
    subset: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    folds: int = Field(default=0, ge=0)
    split: str | dict[str, float] = ""
    lists: dict[str, str] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0, lt=2**32)
    shared_groups: Policy = "official"
    identical_sounds: Literal["group", "separate"] = "group"
    near_duplicates: bool = True
    overlay: str = ""
    overlay_scope: Scope = "training"

    @model_validator(mode="before")
    @classmethod
    def _check_renamed(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and "allow_shared_groups" in values:
            raise field_error("allow_shared_groups", 'is now shared_groups = "allow" (or "official", "refuse", "drop")')
        return values


class TrainSection(Settings):
    """``[train]``: which modules, which head, which seeds."""

    modules: list[str | dict[str, Any]] = Field(default=["builtin:scattering"], min_length=1)
    head: str = "lbfgs"
    seeds: list[Annotated[int, Field(ge=0, lt=2**32)]] = Field(default=[0], min_length=1)
    strengths: list[float] = Field(default_factory=list)
    steps: int = Field(default=4000, ge=1)
    learning_rate: float = Field(default=0.01, gt=0)
    train_batch_size: int = Field(default=100, ge=1)
    balance: str = "none"


class EvaluateSection(Settings):
    """``[evaluate]``: what is compared, and over how many regroupings of the clips into folds."""

    baseline: str = ""
    all_pairs: bool = False
    repeats: int = Field(default=0, ge=0, le=1000)


class PluginsSection(Settings):
    """``[plugins]``: Python files with encodings, corpora, merge methods or module kinds of one's own."""

    files: list[str] = Field(default_factory=list)


class Study(Settings):
    """One ablation.

    Parameters
    ----------
    corpus, train, evaluate, plugins : sections
    convert, merge, fuse : dict
        As the file has them, ``keep_images`` and ``augment`` left out.
    augment : dict, optional
        ``[convert.augment]``; None: no sound is augmented.
    image_files : bool
        ``[convert] keep_images``: whether images become files, in the run's folder and in the store.
    """

    corpus: CorpusSection = CorpusSection()
    convert: dict[str, Any] = Field(default_factory=dict)
    merge: dict[str, Any] = Field(default_factory=dict)
    fuse: dict[str, Any] = Field(default_factory=dict)
    augment: dict[str, Any] | None = None
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    plugins: PluginsSection = PluginsSection()
    image_files: bool = True


_SECTIONS = {name: field for name, field in Study.model_fields.items() if name not in ("image_files", _AUGMENT)}


def read_study(path: str | Path, settings: Sequence[str] = ()) -> tuple[Study, list[ModuleSpec]]:
    """Read a study and lay ``--set`` settings over it; the plugin files that it names are loaded.

    Parameters
    ----------
    path : path
        The TOML file. Paths in it are relative to its folder.
    settings : sequence of str
        ``section.key=value``. Paths in them are relative to the working directory.

    Returns
    -------
    study : Study
        ``corpus.root``, ``corpus.lists``, ``corpus.overlay`` and ``plugins.files`` are absolute, or empty; a list that
        is not there by the path given is one in the root.
    modules : list of ModuleSpec
        Each with the folder that its path is relative to.

    Raises
    ------
    SettingsError
        An unknown key (with what it may have meant) or a value of the wrong kind; a plugin that cannot be loaded.
    """
    path = Path(path)
    table = apply_settings(read_toml(path), list(settings))
    overridden = _keys(settings)
    study = _checked(table, path, settings)
    home, here = path.resolve().parent, Path.cwd()

    def base(name: str) -> Path:
        parts = name.split(".")
        return here if overridden & {".".join(parts[:k]) for k in range(1, len(parts) + 1)} else home

    files = [os.path.abspath(base("plugins.files") / Path(file).expanduser()) for file in study.plugins.files]
    load_plugins(files)
    root = study.corpus.root and absolute(located(expanded(study.corpus.root), base("corpus.root")))
    lists = {fold: _list_path(file, base(f"corpus.lists.{fold}"), root) for fold, file in study.corpus.lists.items()}
    overlay = study.corpus.overlay and absolute(located(expanded(study.corpus.overlay), base("corpus.overlay")))
    corpus = study.corpus.replace(root=root, lists=lists, overlay=overlay)
    convert = _with_settings_files(study.convert, "convert", base)
    study = study.replace(corpus=corpus, convert=convert, plugins=PluginsSection(files=files))
    name_of = name_in("train", path, settings)
    modules = [
        parse(module, base=base("train.modules"), name_of=lambda name: f"{name_of('modules')}: {name}")
        for module in study.train.modules
    ]
    return study, modules


def _with_settings_files(table: Mapping[str, Any], name: str, base: Callable[[str], Path]) -> dict[str, Any]:
    """``[convert]`` with the paths of settings files made absolute, in the tables of encodings as well."""
    found: dict[str, Any] = {
        key: _with_settings_files(each, f"{name}.{key}", base)
        for key, each in table.items()
        if isinstance(each, Mapping)
    }
    file = table.get("settings")
    if isinstance(file, str) and file:
        found["settings"] = str(base(f"{name}.settings") / Path(file).expanduser())
    return {**table, **found}


def _list_path(file: str, base: Path, root: str) -> str:
    path = absolute(located(expanded(file), base))
    if not root or as_path(path).is_file():
        return path
    in_root = located(file, os.path.dirname(root) if as_path(root).is_file() else root)
    return in_root if as_path(in_root).is_file() else path


def name_in(section: str, path: str | Path, settings: Sequence[str] = ()) -> Namer:
    """How the settings of a section were written: in the study's file, or by ``--set``.

    Examples
    --------
    >>> name_of = name_in("train", "birds.toml", ["train.head=sgd"])
    >>> name_of("head"), name_of("steps")
    ('--set train.head', 'birds.toml: [train] steps')
    """
    overridden = _keys(settings)
    return lambda name: (
        f"--set {section}.{name}"
        if overridden & {section, f"{section}.{name.partition('.')[0]}"}
        else f"{path}: [{section}] {name}"
    )


def _keys(settings: Sequence[str]) -> set[str]:
    """The keys that settings given by ``--set`` name."""
    return {setting.partition("=")[0].replace(" ", "") for setting in settings}


def _checked(table: Mapping[str, Any], path: Path, settings: Sequence[str]) -> Study:
    """Read section by section, so that a message says where the mistake is."""
    overridden = {key.partition(".")[0] for key in _keys(settings)}
    sections: dict[str, Any] = {}
    for name, value in table.items():
        field = _SECTIONS.get(name)
        if field is None:
            where = f"--set {name}" if name in overridden else str(path)
            raise SettingsError(f"{where}: section {name!r} is not known; {did_you_mean(name, _SECTIONS)}")
        if not isinstance(value, Mapping):
            where = "--set " if name in overridden else f"{path}: "
            raise SettingsError(f"{where}{name}={value!r}: must be a table, [{name}]")
        read: Callable[..., Any] | None = getattr(field.annotation, "read", None)
        sections[name] = read(value, name_of=name_in(name, path, settings)) if read else dict(value)
    image_files = sections.get("convert", {}).pop(_IMAGE_FILES, True)
    if not isinstance(image_files, bool):
        where = name_in("convert", path, settings)(_IMAGE_FILES)
        raise SettingsError(f"{where}={image_files!r}: must be true or false")
    augment = sections.get("convert", {}).pop(_AUGMENT, None)
    if not isinstance(augment, Mapping | None):
        where = name_in("convert", path, settings)(_AUGMENT)
        raise SettingsError(f"{where}={augment!r}: must be a table, [convert.{_AUGMENT}]")
    return Study(**sections, image_files=image_files, augment=None if augment is None else dict(augment))
