"""Speech Commands: some 100,000 recordings of up to 1 s, 35 words (30 in version 0.01) of thousands of speakers.

P. Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209, 2018. Licence:
CC BY 4.0.

Layout::

    ROOT/<word>/<speaker>_nohash_<take>.wav
    ROOT/validation_list.txt  ROOT/testing_list.txt      clips of these parts, as <word>/<file>; the others are train
    ROOT/_background_noise_/*.wav                        minutes of noise: not a word, so not taken

The group is the speaker. Without the two lists folds are assigned by speaker.
"""

from __future__ import annotations

import re
from pathlib import Path

from corpora.base import Archive, Corpus, Row, ScanOptions, find_sounds, match_name, need_folder
from harness.errors import TableError

__all__ = ["LISTS", "NOISE", "SPEECH_COMMANDS"]

LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
"""The parts of the official split, and the files that list their clips."""
NOISE = "_background_noise_"
"""The folder that is not a class."""

_OTHER = "(?P<label>[^_/]+)_(?P<group>[^_/]+)_[0-9]+[.]"  # of names as 3_jackson_12.wav: label, speaker, take
_NAME = re.compile(r"(?P<speaker>[^_]+)_nohash_(?P<take>\d+)\.\w+")


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per recording of a word."""
    need_folder(root, what="a folder for each word, validation_list.txt and testing_list.txt")
    parts = _parts(root)
    rows = []
    for path in find_sounds(root):
        below = path.relative_to(root)
        if below.parts[0] == NOISE:
            continue
        speaker = match_name(path, _NAME, expected="[speaker]_nohash_[take].wav", folders_pattern=_OTHER)["speaker"]
        if len(below.parts) != 2:
            raise TableError(
                f"{path}: not in the folder of a word directly below {root}; is the root the corpus's own?"
            )
        fold = parts.pop(below.as_posix(), "train") if parts is not None else ""
        rows.append({"path": path, "label": below.parts[0], "fold": fold, "group": speaker})
    return rows + [_missing(root / name, fold) for name, fold in (parts or {}).items()]


def _missing(path: Path, fold: str) -> Row:
    """The row of a clip that a list names and that is not there, so that it is named as missing."""
    return {"path": path, "label": path.parent.name, "fold": fold, "group": path.name.partition("_nohash_")[0]}


def _parts(root: Path) -> dict[str, str] | None:
    """The part of the split of each clip that a list names, by its path below the root; None without the lists.

    Raises
    ------
    TableError
        One of the lists is not there, or a clip is in both.
    """
    there = {part: root / name for part, name in LISTS.items() if (root / name).is_file()}
    if not there:
        return None
    if len(there) < len(LISTS):
        lost = next(name for part, name in LISTS.items() if part not in there)
        raise TableError(f"{root / lost}: no such file, but {next(iter(there.values())).name} is there; fetch both")
    found: dict[str, str] = {}
    for part, file in there.items():
        for line in file.read_text(encoding="utf-8").split():
            if found.setdefault(line, part) != part:
                raise TableError(f"{file}: {line} is in {LISTS[found[line]]} too")
    return found


SPEECH_COMMANDS = Corpus(
    name="speech_commands",
    title="Speech Commands",
    citation="Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209",
    licence="CC BY 4.0",
    url="https://www.tensorflow.org/datasets/catalog/speech_commands",
    folds="train/validation/test by its lists",
    group="the speaker",
    scan=_scan,
    metadata=tuple(LISTS.values()),
    archives=(
        Archive(
            "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            "speech_commands_v0.02.tar.gz",
            "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        ),
    ),
)
