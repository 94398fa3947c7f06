"""The demo corpus: ten kinds of sound that the program makes itself, from formulas and a seed.

300 clips of about 1.5 s: 10 classes, 5 folds; per class and fold three sources of two takes each. Takes of a source
share its pitch, rate, place, background and microphone, so a source is a group and stands in one fold. Noise and
other sounds make some of them hard: an encoding classifies two thirds to nine tenths of the clips rightly.

Layout::

    ROOT/demo.json                          which demo this is; written last
    ROOT/<class>/1-siren01-A.wav            fold-source-take; 16 bit, 22050 Hz, mono

Citation: soundfold's own. Licence: CC0, no rights reserved.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from corpora.base import Corpus, Row, ScanOptions, find_sounds, match_name
from corpora.demo_render import render
from corpora.demo_sounds import RATE, SOUNDS
from harness.audio import write_wav
from harness.errors import SettingsError
from harness.files import atomic_folder, read_json, write_json
from harness.progress import track
from harness.store import default_root as store_root
from harness.urls import need_local
from harness.written import RECORD, check_only

__all__ = ["DEMO", "VERSION", "make"]

VERSION = 2
FOLDS, SOURCES_PER_FOLD, TAKES = 5, 3, 2
MARKER = "demo.json"

_NAME = re.compile(r"(?P<fold>\d+)-(?P<source>[a-z_]+\d+)-(?P<take>[A-Z])\.wav")


def _scan(root: Path, options: ScanOptions) -> list[Row]:
    """One row per clip; the demo is made first where it is not there."""
    folder = need_local(root, what="the demo")
    if options.make:
        make(folder, seed=options.seed)
    there = _is_made(folder, _marker(options.seed))
    rows = []
    for path in find_sounds(root) if there else [folder / name for name in _names()]:
        parts = match_name(path, _NAME, expected="[fold]-[source]-[take].wav, as the demo's sounds are")
        rows.append({"path": path, "label": path.parent.name, "fold": parts["fold"], "group": parts["source"]})
    return rows


def _default_root(options: ScanOptions) -> Path:
    """Where the demo of a seed lies if no root is given: in the store."""
    return Path(options.store or store_root()) / "corpora" / f"demo-v{VERSION}-seed{options.seed}"


def make(folder: str | Path, *, seed: int = 0) -> None:
    """Make the demo corpus; a finished one of the same version and seed is left as it is.

    Parameters
    ----------
    folder : path
        Where to; appears whole or not at all. An older demo there is replaced.
    seed : int
        0 or more. The same seed gives the same bytes.

    Raises
    ------
    SettingsError
        A negative seed, or a folder that holds something else too.
    """
    folder = Path(folder)
    if seed < 0:
        raise SettingsError(f"seed={seed}: expected 0 or more")
    wanted = _marker(seed)
    if _is_made(folder, wanted):
        return
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file()):
        raise SettingsError(f"{folder}: holds something that is not a demo corpus; name another folder, or empty it")
    check_only(folder, {MARKER, "run.json", RECORD, *_names(), *_older_names(folder)})
    with atomic_folder(folder) as part:
        _fill(part, seed)
        write_json(part / MARKER, wanted)


def _marker(seed: int) -> dict[str, Any]:
    clips = len(SOUNDS) * FOLDS * SOURCES_PER_FOLD * TAKES
    return {"corpus": "demo", "version": VERSION, "seed": seed, "clips": clips}


def _is_made(folder: Path, wanted: dict[str, Any]) -> bool:
    try:
        found = read_json(folder / MARKER)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    return bool(found == wanted) and sum(1 for _ in folder.glob("*/*.wav")) == wanted["clips"]


def _older_names(folder: Path) -> list[str]:
    """The sounds of a demo of another version, which may have been named in another way."""
    with suppress(OSError, ValueError, AttributeError):
        if read_json(folder / MARKER).get("version") != VERSION:
            return [path.relative_to(folder).as_posix() for path in folder.glob("*/*.wav")]
    return []


def _fill(folder: Path, seed: int) -> None:
    clips = _names()
    for name, (label, source, take) in track(clips.items(), total=len(clips), what="making the demo"):
        write_wav(folder / name, render(label, source=source, take=take, seed=seed), RATE)


def _names() -> dict[str, tuple[str, int, int]]:
    """The sounds' paths in the folder, with class, source and take."""
    sources = FOLDS * SOURCES_PER_FOLD
    clips = [(label, source, take) for label in SOUNDS for source in range(sources) for take in range(TAKES)]
    return {f"{c[0]}/{1 + c[1] % FOLDS}-{c[0]}{c[1] + 1:02d}-{'ABCDEFGH'[c[2]]}.wav": c for c in clips}


DEMO = Corpus(
    name="demo",
    title="Demo: ten sounds made by the program",
    citation="none: made by soundfold",
    licence="CC0",
    url="",
    folds="5 official",
    group="the source that takes were made of",
    scan=_scan,
    default_root=_default_root,
)
