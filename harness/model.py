"""The folder of a trained model, and what its ``model.json`` says.

::

    MODEL/
      saved_model.pb, variables/   image -> prediction (or waveform -> prediction)
      labels.txt                   one class a line, in the order of the scores
      model.json                   this card

The labeler needs nothing but this folder and a sound or an image.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import ModuleError
from harness.files import digest_file, digest_json, read_json, write_json, write_text
from harness.hub.base import ModuleInfo
from harness.hub.preprocess import preprocessing
from harness.record import versions

__all__ = [
    "CARD",
    "HEAD",
    "LABELS",
    "ModelCard",
    "check_files",
    "is_whole",
    "model_files",
    "module_to_json",
    "read_card",
    "write_card",
]

CARD, LABELS, HEAD = "model.json", "labels.txt", "head.npz"
_SCHEMA = 1
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
        ``image`` or ``waveform``.
    module : dict
        Handle, digest, input size and value range, sample rate: what
        :func:`module_to_json` gives.
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

    @property
    def module_info(self) -> ModuleInfo:
        """What the model's module takes and gives."""
        return ModuleInfo.from_json(self.module)


def module_to_json(info: ModuleInfo) -> dict[str, Any]:
    """A module as ``model.json`` and ``run.json`` describe it, its preprocessing included."""
    return {**asdict(info), "preprocessing": preprocessing(info)}


def write_card(folder: str | Path, card: ModelCard) -> None:
    """Write ``model.json`` and ``labels.txt``, when the SavedModel is there."""
    write_text(Path(folder) / LABELS, "".join(f"{name}\n" for name in card.classes))
    values = {_KEYS.get(name, name): value for name, value in asdict(card).items()}
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
    except ValueError as error:
        raise ModuleError(f"{path}: not readable ({error})") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if isinstance(values, dict):
        values.pop("digest", None)  # who edits a card by hand may use it
    if schema != _SCHEMA:
        raise ModuleError(f"{path}: schema {schema!r}, expected {_SCHEMA}; written by another version")
    try:
        return ModelCard(**{_NAMES.get(key, key): value for key, value in values.items()})
    except TypeError as error:
        raise ModuleError(f"{path}: not a card of this version ({error})") from error


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
