"""Images per second: soundfold against the usual recipe, on the same clips.

    python -m benchmarks.convert [--folder FOLDER] [--clips 400] [--usual 20]

The usual recipe is librosa.load, melspectrogram, a 12 x 4 inch matplotlib figure, specshow, savefig: one encoding.
Ours is four encodings with the default settings, into an empty store, in one process and in two; then once more
with nothing changed. Reading the sounds alone is timed beside them, as what no converter can be faster than. All is
done with the clips as they are, with the same clips as 16-bit wav files, which take less time to decode, and with five
times as many of those: worker processes take a second to start, which counts for less there.

The first table has the cost of each encoding beside librosa's own function for it, as `encodings.py` says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.command import data_folder, main
from benchmarks.encodings import costs
from benchmarks.tables import Cell, Table, ratio
from benchmarks.usual import per_item, usual_image
from converter import convert_clips, encodings_from_study
from harness import audio, tables
from harness.errors import SettingsError
from harness.store import Store

RATE = 22050
VERSIONS = 5  # ESC-50 has five times the clips of ESC-10; worker processes take a second to start


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure each encoding, then each form of the files."""
    yield costs(seconds=1.0, rounds=2) if options.quick else costs()
    folder = options.folder or data_folder(options, "data/esc10")
    clips, usual = (20, 4) if options.quick else (options.clips, options.usual)
    paths = find(folder, clips)
    with tempfile.TemporaryDirectory() as given:  # one for all: ext4 is slow to make files where some were just removed
        scratch = Path(given)
        title = f"{len(paths)} clips as released ({paths[0].suffix[1:]})"
        yield measure(title, paths, scratch / "released", usual=usual)
        if any(path.suffix != ".wav" for path in paths):
            copies = as_wav(paths, scratch / "wav")
            yield measure(f"the same {len(copies)} clips as wav", copies, scratch / "same", usual=usual)
            more = as_wav(paths, scratch / "versions", versions=1 if options.quick else VERSIONS)
            title = f"{len(more)} clips as wav: {VERSIONS} versions of each, shifted in time"
            yield measure(title, more, scratch / "more", usual=usual)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--folder", type=Path, help="of sounds; default: ESC-10 of the data folder")
    parser.add_argument("--clips", type=int, default=400, help="at most so many clips; default: %(default)s")
    parser.add_argument("--usual", type=int, default=20, help="so many for the usual recipe; default: %(default)s")


def measure(title: str, paths: Sequence[Path], folder: Path, *, usual: int) -> Table:
    """One table, of images in `folder`; the usual recipe is measured before and after ours, and the mean taken."""
    some = paths[:: max(1, len(paths) // usual)][:usual]
    before = per_item(usual_image, some)
    reading = per_item(lambda path: audio.load(path, sr=RATE), paths)
    rows: list[list[Cell]] = []
    for jobs in (1, 2):
        for what in ("empty store", "nothing changed"):
            seconds, images = ours(paths, folder / f"jobs{jobs}", jobs)
            name = f"ours, {images // len(paths)} encodings, jobs={jobs}, {what}"
            rows.append([name, len(paths) / seconds, images / seconds])
    slow = (before + per_item(usual_image, some)) / 2
    first: list[list[Cell]] = [["usual recipe, 1 encoding", 1 / slow, 1 / slow], ["reading alone", 1 / reading, None]]
    return Table(title, ["", "clips/s", "images/s", "ratio"], [with_ratio(row, slow) for row in [*first, *rows]])


def with_ratio(row: list[Cell], slow: float) -> list[Cell]:
    """A row with how many times as many images a second it has as the usual recipe."""
    rate = row[2]
    return [*row, ratio(slow, 1 / rate) if isinstance(rate, float) else None]


def find(folder: Path, most: int) -> list[Path]:
    """Sounds below `folder`, spread evenly over it."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in audio.SUFFIXES)
    if not found:
        raise SettingsError(f"folder={str(folder)!r}: no sounds in it")
    return [found[i * len(found) // min(most, len(found))] for i in range(min(most, len(found)))]


def as_wav(paths: Sequence[Path], folder: Path, *, versions: int = 1) -> list[Path]:
    """The sounds as 16-bit wav files at their own rate, in folders of the same names; versions begin later."""
    found = []
    for i, path in enumerate(paths):
        y, sr = soundfile.read(path, dtype="float32", always_2d=True)
        for version in range(versions):
            found.append(folder / path.parent.name / f"{i}_{version}_{path.stem}.wav")
            found[-1].parent.mkdir(parents=True, exist_ok=True)
            shifted = np.roll(np.clip(y, -1, 1), -version * len(y) // versions, axis=0)
            soundfile.write(found[-1], shifted, sr, subtype="PCM_16")
    return found


def ours(paths: Sequence[Path], folder: Path, jobs: int) -> tuple[float, int]:
    """Seconds of the converter into `folder`, and the number of images."""
    rows: list[dict[str, object]] = [
        {"clip_id": f"{i}_{path.name}", "path": str(path), "label": path.parent.name} for i, path in enumerate(paths)
    ]
    clips = tables.frame(rows, tables.CLIPS)
    started = time.perf_counter()
    encodings = encodings_from_study({})
    images = convert_clips(clips, encodings, folder / "images", store=Store(folder / "store"), jobs=jobs).images
    return time.perf_counter() - started, len(images)


if __name__ == "__main__":
    main(run, __doc__, arguments)
