"""The folder of a trained model, and what its ``model.json`` says.

::

    MODEL/
      saved_model.pb, variables/   image -> prediction (or waveform -> prediction; a fused model has several inputs)
      labels.txt                   one class a line, in the order of the scores
      model.json                   this card

The labeler needs nothing but this folder and a sound or an image.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from harness.errors import ModuleError
from harness.files import digest_file, digest_json, read_json, write_json, write_text
from harness.hub.base import ModuleInfo
from harness.hub.preprocess import preprocessing
from harness.model_members import ModelMember, wrong_module
from harness.record import versions
from harness.settings import is_number

__all__ = [
    "CARD",
    "HEAD",
    "LABELS",
    "SEVERAL",
    "ModelCard",
    "check_files",
    "is_whole",
    "model_files",
    "module_to_json",
    "read_card",
    "write_card",
]

CARD, LABELS, HEAD = "model.json", "labels.txt", "head.npz"
SEVERAL = "several"
"""What a fused model takes: whatever its members take of one sound."""

_SCHEMA = 1
_DEEPEST = 50  # merges of merges
_KINDS: dict[str, Any] = {
    "module": dict,
    "recipe": (dict, type(None)),
    "training": dict,
    "note": str,
    "versions": dict,
    "files": dict,
    "members": list,
}
_KEYS = {"recipe": "picture"}  # names whose key in the file is another one
_NAMES = {key: name for name, key in _KEYS.items()}


@dataclass(frozen=True)
class ModelCard:
    """What a model is and how it is fed.

    Parameters
    ----------
    classes : list of str
        Class names in the order of the scores.
    takes : str
        ``image`` or ``waveform``; :data:`SEVERAL` for a fused model.
    module : dict
        Handle, digest, input size and value range, sample rate: what
        :func:`module_to_json` gives. Of a fused model handle and digest alone.
    recipe : dict or None
        How a sound is drawn, as :mod:`harness.recipes` describes it; None where the images were made elsewhere. In
        ``model.json`` its key is ``picture``.
    training : dict
        Encoding, head, seed, fold, digests: where the model comes from.
    note : str
        What a reader of its figures must know.
    versions : dict of str to str
        Packages that it was trained with.
    longest_s : float
        Length of the longest training clip in seconds; 0 where that is not known, as in models of older versions.
    files : dict of str to str
        sha256 of the other files by path in the folder; :func:`write_card` puts them there. Empty in models of older
        versions.
    members : list of dict
        Of a fused model, as :meth:`harness.model_members.ModelMember.to_json` gives them; else empty.
    """

    classes: list[str]
    takes: str
    module: dict[str, Any]
    recipe: dict[str, Any] | None = None
    training: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    versions: dict[str, str] = field(default_factory=versions)
    longest_s: float = 0.0
    files: dict[str, str] = field(default_factory=dict)
    members: list[dict[str, Any]] = field(default_factory=list)

    @property
    def parts(self) -> list[ModelMember]:
        """The members of a fused model."""
        return [ModelMember.from_json(each) for each in self.members]

    @property
    def draws(self) -> bool:
        """Whether an image goes through the model, or one of its members."""
        return self.takes == "image" or any(each["module"]["takes"] == "image" for each in self.members)

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """How sounds are drawn for it: as many as there are images that are known."""
        found = [self.recipe, *(each["picture"] for each in self.members)]
        return [recipe for recipe in found if recipe]

    @property
    def module_info(self) -> ModuleInfo:
        """What the model's module takes and gives; for other models than fused ones."""
        return ModuleInfo.from_json(self.module)


def module_to_json(info: ModuleInfo) -> dict[str, Any]:
    """A module as ``model.json`` and ``run.json`` describe it, its preprocessing included."""
    return {**asdict(info), "preprocessing": preprocessing(info)}


def write_card(folder: str | Path, card: ModelCard) -> None:
    """Write ``model.json`` and ``labels.txt``, when the SavedModel is there."""
    write_text(Path(folder) / LABELS, "".join(f"{name}\n" for name in card.classes))
    values = {_KEYS.get(name, name): value for name, value in asdict(card).items() if name != "members" or value}
    values = json.loads(json.dumps({"schema": _SCHEMA, **values, "files": _digests(folder)}))  # as they are read
    write_json(Path(folder) / CARD, {**values, "digest": digest_json(values)})


def read_card(folder: str | Path) -> ModelCard:
    """Read ``model.json``.

    Raises
    ------
    ModuleError
        No model there, or one of another schema.
    """
    path = Path(folder) / CARD
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise ModuleError(f"{folder}: not a model folder, no {CARD} in it") from None
    except (ValueError, RecursionError) as error:
        raise ModuleError(f"{path}: not readable ({error})") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values.pop("digest", None)  # who edits a card by hand may use it
    if schema != _SCHEMA:
        raise ModuleError(f"{path}: schema {schema!r}, expected {_SCHEMA}; written by another version")
    try:
        card = ModelCard(**{_NAMES.get(key, key): value for key, value in values.items()})
    except TypeError as error:
        raise ModuleError(f"{path}: not a card of this version ({error})") from error
    wrong = _wrong(card)
    if wrong:
        raise ModuleError(f"{path}: damaged ({wrong}); train or export the model again")
    return card


def _wrong(card: ModelCard) -> str:
    """What is wrong with the values of a card; empty where nothing is."""
    names = card.classes
    if not _is_list_of(names, str) or len(names) < 2 or len(set(names)) < len(names):
        return f"classes: {_short(names)}, expected two names or more that differ"
    if card.takes not in ("image", "waveform", SEVERAL):
        return f"takes: {_short(card.takes)}, expected 'image', 'waveform' or {SEVERAL!r}"
    for name, kinds in _KINDS.items():
        if not isinstance(getattr(card, name), kinds):
            return f"{_KEYS.get(name, name)}: {_short(getattr(card, name))} is of the wrong kind"
    if not is_number(card.longest_s) or card.longest_s < 0:
        return f"longest_s: {_short(card.longest_s)}, expected seconds"
    if not _is_list_of([*card.files, *card.files.values()], str) or any(not _is_inside(name) for name in card.files):
        return "files: expected digests by paths inside the folder"
    if card.recipe is not None and not _is_recipe(card.recipe):
        return f"{_KEYS['recipe']}: not a way to draw a sound"
    return _wrong_members(card) if card.takes == SEVERAL else wrong_module(card.module, card.takes)


def _wrong_members(card: ModelCard) -> str:
    """What is wrong with the members of a fused model; empty where nothing is."""
    if len(card.members) < 2 or not all(isinstance(each, dict) for each in card.members):
        return "members: expected two or more"
    if not _is_list_of([card.module.get("handle"), card.module.get("digest")], str):
        return "module: expected handle and digest"
    for number, each in enumerate(card.members):
        try:
            member = ModelMember.from_json(each)
        except TypeError as error:
            return f"members: {error}"
        module = member.module if isinstance(member.module, dict) else {}
        wrong = (
            wrong_module(module, str(module.get("takes"))) if module.get("takes") in ("image", "waveform") else "takes"
        )
        if not _is_list_of([member.encoding, member.input, member.signature], str) or wrong:
            return f"members: number {number}: {wrong or 'names'}"
        if member.recipe is not None and not _is_recipe(member.recipe):
            return f"members: number {number}: not a way to draw a sound"
    return ""


def _is_recipe(recipe: Any, depth: int = 0) -> bool:
    """Whether a recipe has the form that :mod:`harness.recipes` describes; its settings are not looked at."""
    if not isinstance(recipe, dict) or not isinstance(recipe.get("spec"), dict) or depth > _DEEPEST:
        return False
    of = recipe.get("of")
    return "encoding" in recipe or (
        isinstance(of, dict) and bool(of) and all(_is_recipe(each, depth + 1) for each in of.values())
    )


def _is_list_of(values: object, kind: type) -> bool:
    return isinstance(values, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in values)


def _is_inside(name: str) -> bool:
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\0" not in name


def _short(value: object) -> str:
    return repr(value)[:60]


def check_files(folder: str | Path, card: ModelCard) -> None:
    """Hold the files of a SavedModel against its card.

    Raises
    ------
    ModuleError
        One is damaged or missing.
    """
    for name, digest in card.files.items():
        path = Path(folder) / name
        if not path.is_file() or digest_file(path) != digest:
            what = "has changed" if path.is_file() else "is missing"
            raise ModuleError(f"{path}: {what} since the model was written; train or export it again")


def model_files(folder: str | Path) -> set[str]:
    """The files of a model folder that belong to it, by path in the folder: by its card, or else by their names."""
    below = Path(folder, "variables")
    found = {
        CARD,
        LABELS,
        HEAD,
        "saved_model.pb",
        "fingerprint.pb",
        *(f"variables/{p.name}" for p in below.glob("variables.*")),
    }
    with suppress(ModuleError, TypeError):  # a card that is damaged
        found.update(read_card(folder).files)
    return found


def is_whole(folder: str | Path) -> bool:
    """Whether a model folder is as it was written, its card too."""
    try:
        values = read_json(Path(folder) / CARD)
        digest = values.pop("digest", "")
        check_files(folder, read_card(folder))
    except (OSError, ValueError, AttributeError, ModuleError):
        return False
    return bool(digest == digest_json(values))


def _digests(folder: str | Path) -> dict[str, str]:
    """sha256 of all files of a model folder but its card, by their path in it."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: digest_file(path) for name, path in named.items() if name != CARD}
