"""Images per second: soundfold against the usual recipe, on the same clips.

    python benchmarks/convert.py [FOLDER] [--clips 200] [--usual 20]

The usual recipe is librosa.load, melspectrogram, a 12 x 4 inch matplotlib figure, specshow, savefig: one encoding.
Ours is four encodings with the default settings, into an empty store, in one process and in two; then once more
with nothing changed. Reading the sounds alone is timed beside them, as what no converter can be faster than.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from converter import convert_clips, encodings_from_study
from harness import audio, tables
from harness.cli import guard, say
from harness.errors import SettingsError
from harness.store import Store

RATE = 22050


def main() -> int:
    """Measure, and print a table."""
    options = parse()
    paths = find(options.folder, options.clips)
    say(f"{len(paths)} clips of {options.folder}\n")
    say(f"{'':44}{'clips/s':>9}{'images/s':>12}{'ratio':>8}")
    usual = 1 / per_item(usual_recipe, paths[:: max(1, len(paths) // options.usual)][: options.usual])
    line("usual recipe, 1 encoding", usual, usual, usual)
    line(f"reading and resampling to {RATE} Hz alone", 1 / per_item(lambda p: audio.load(p, sr=RATE), paths))
    with tempfile.TemporaryDirectory() as scratch:
        for jobs in (1, 2):
            folder = Path(scratch) / f"jobs{jobs}"
            for what in ("empty store", "nothing changed"):
                rate, images = ours(paths, folder, jobs)
                line(
                    f"ours, {images // len(paths)} encodings, jobs={jobs}, {what}",
                    rate,
                    rate * images / len(paths),
                    usual,
                )
    return 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    data = os.environ.get("SOUNDFOLD_TEST_DATA")
    default = Path(data) / "data" / "esc10" if data else None
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="of sounds; default: ESC-10 for tests")
    parser.add_argument("--clips", type=int, default=400, help="at most so many clips")
    parser.add_argument("--usual", type=int, default=20, help="at most so many for the usual recipe")
    options = parser.parse_args()
    if options.folder is None:
        raise SettingsError("folder: give a folder of sounds, or set SOUNDFOLD_TEST_DATA")
    return options


def find(folder: Path, most: int) -> list[Path]:
    """Sounds below `folder`, spread evenly over it."""
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in audio.SUFFIXES)
    if not found:
        raise SettingsError(f"folder={str(folder)!r}: no sounds in it")
    return [found[i * len(found) // min(most, len(found))] for i in range(min(most, len(found)))]


def per_item(work: Callable[[Path], object], paths: Sequence[Path]) -> float:
    """Seconds per call, after one that is not counted."""
    work(paths[0])
    started = time.perf_counter()
    for path in paths:
        work(path)
    return (time.perf_counter() - started) / len(paths)


def usual_recipe(path: Path) -> None:
    """What most projects do for one image of one clip."""
    import librosa
    import librosa.display
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    y, sr = librosa.load(path)
    S_db = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr), ref=np.max)
    figure = plt.figure(figsize=(12, 4))
    figure.add_axes((0, 0, 1, 1)).axis("off")
    librosa.display.specshow(S_db, sr=sr, x_axis="time", y_axis="mel")
    with tempfile.TemporaryDirectory() as scratch:
        figure.savefig(Path(scratch) / "image.png")
    plt.close(figure)


def ours(paths: Sequence[Path], folder: Path, jobs: int) -> tuple[float, int]:
    """Clips per second of the converter into `folder`, and the number of images."""
    rows: list[dict[str, object]] = [
        {"clip_id": f"{i}_{path.name}", "path": str(path), "label": path.parent.name} for i, path in enumerate(paths)
    ]
    clips = tables.frame(rows, tables.CLIPS)
    started = time.perf_counter()
    encodings = encodings_from_study({})
    images = convert_clips(clips, encodings, folder / "images", store=Store(folder / "store"), jobs=jobs).images
    return len(paths) / (time.perf_counter() - started), len(images)


def line(what: str, clips_per_s: float, images_per_s: float | None = None, usual: float | None = None) -> None:
    """One line of the table."""
    images = f"{images_per_s:12.1f}" if images_per_s else ""
    ratio = f"{images_per_s / usual:7.1f}x" if images_per_s and usual else ""
    say(f"{what:44}{clips_per_s:9.1f}{images}{ratio}")


if __name__ == "__main__":
    raise SystemExit(guard(main))
