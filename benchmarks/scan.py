"""Hours of sound through `soundfold scan`: times real time and its parts, and memory for 10 minutes and 8 hours.

    python -m benchmarks.scan [--hours 8]

Windows of 5 s every 5 s, a model of ESC-10 on gray images with `builtin:scattering`, one process on all cores.
The recordings are ESC-10's clips one after the other, 16-bit wav at 22.05 kHz. A part is measured alone; as reading and
drawing go on while the model works, the whole takes less than their sum where there are several cores.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.command import data_folder, main, timed
from benchmarks.esc10_models import fold_models
from benchmarks.results import ROOT
from benchmarks.tables import Cell, Table
from harness import audio
from harness.errors import WorkerError
from labeler.loading import load_model
from labeler.preprocess import prepare_samples

RATE, WINDOW_S, SHORT_S = 22050, 5.0, 600.0
_SOME = 128  # windows of which a part is measured


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure both recordings, then the parts."""
    hours = 0.2 if options.quick else options.hours
    _, models = fold_models(options, ["1"], module="builtin:scattering")
    sounds = sorted(data_folder(options, "data/esc10").rglob("*.ogg"))
    folder = options.work / "scan"
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[list[Cell]] = []
    for name, seconds in (("10 minutes", SHORT_S), (f"{hours:g} hours", 3600 * hours)):
        path = long_recording(sounds, folder / f"{name.replace(' ', '_')}.wav", seconds)
        took, said, peak_mb = scanned(models["1"], path, folder / "out")
        rows.append([name, took, seconds / took, said, peak_mb])
    rows.append(["more memory for the longer one", None, None, None, float(rows[1][4] or 0) - float(rows[0][4] or 0)])
    columns = ["", "s", "times real time, start included", "times real time", "most memory, MB"]
    yield Table("`soundfold scan`, windows of 5 s every 5 s", columns, rows)
    yield parts(models["1"], folder / "10_minutes.wav")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--hours", type=float, default=8.0, help="of the long recording; default: %(default)s")


def long_recording(sounds: list[Path], path: Path, seconds: float) -> Path:
    """Clips one after the other, up to a length; what is there already is used again."""
    length = round(seconds * RATE)
    if path.is_file() and soundfile.info(str(path)).frames == length:
        return path
    pool = [audio.load(each, sr=RATE) for each in sounds[::4]]
    with soundfile.SoundFile(str(path), "w", RATE, 1, "PCM_16") as file:
        written = 0
        while written < length:
            y = pool[(written // RATE) % len(pool)][: length - written]
            file.write(y)
            written += len(y)
    return path


def scanned(model: Path, path: Path, out: Path) -> tuple[float, float | None, float]:
    """Run the command; what it writes goes.

    Returns
    -------
    seconds : float
        With Python's start and the loading of TensorFlow.
    speed : float or None
        Times real time as the command says it: without these.
    peak_mb : float
        Highest resident set size, in 10^6 bytes.
    """
    shutil.rmtree(out, ignore_errors=True)
    words = ["scan", str(path), "--model", str(model), "--out", str(out), "--window", str(WINDOW_S)]
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "labeler", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = re.search(r"([\d.]+) times real time", process.stdout.read())
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise WorkerError(f"{' '.join(words)}: exit code {process.returncode}")
    shutil.rmtree(out)
    return time.perf_counter() - started, float(said[1]) if said else None, used.ru_maxrss * 1024 / 1e6


def parts(model: Path, path: Path) -> Table:
    """Reading, drawing and the model, each alone."""
    loaded = load_model(model)
    reading, blocks = timed(lambda: list(audio.read_blocks(path, seconds=60.0)))
    y = np.concatenate([block for block, _ in blocks])
    length = round(WINDOW_S * RATE)
    windows = [y[k * length : (k + 1) * length] for k in range(min(_SOME, len(y) // length))]
    prepare_samples(windows[0], RATE, loaded.card)
    drawing, drawn = timed(lambda: [prepare_samples(each, RATE, loaded.card) for each in windows])
    batches = [np.stack(drawn[k : k + 20]) for k in range(0, len(drawn), 20)]
    loaded.scores(batches[0])
    loaded.scores(batches[-1])
    scoring, _ = timed(lambda: [loaded.scores(batch) for batch in batches])
    total = WINDOW_S * len(windows)
    rows: list[list[Cell]] = [
        ["reading", 1000 * reading / (len(y) / length), len(y) / RATE / reading],
        ["drawing, one thread", 1000 * drawing / len(windows), total / drawing],
        ["the model, all cores", 1000 * scoring / len(windows), total / scoring],
    ]
    return Table("Its parts, each alone", ["", "ms for a window", "times real time"], rows)


if __name__ == "__main__":
    main(run, __doc__, arguments)
