"""Milliseconds from the last sample of a window to its label: `labeler listen` against the usual way.

    python -m benchmarks.listen [--seconds 30] [--hop 0.5]

Recordings of ESC-10 (44.1 kHz) are streamed in real time and labelled in windows of 5 s, every half a second, by three
models of one study: gray images through ``builtin:scattering``, log-mel images through MobileNet V2, the sound itself
through YAMNet. Each is measured as lines of text and with the live view (on a terminal of 80 x 24 that nobody sees).
"The window alone" is what drawing and scoring take when nothing else runs: the rest is waiting for the processor, which
is shared with the thread that reads and with the view. The usual way writes the window as wav, draws it by librosa and
a matplotlib figure, reads an image file and scores it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from benchmarks.command import data_folder, main, timed
from benchmarks.convert import find
from benchmarks.esc10 import MOBILENET, STUDY, YAMNET
from benchmarks.studies import run_study
from benchmarks.tables import Cell, Table, ratio
from benchmarks.usual import usual_image
from harness import audio, image
from harness.files import write_bytes
from harness.store import Store
from labeler.live.listening import Heard, Listener, listen_to
from labeler.live.sources import FileSource
from labeler.live.view import TerminalView
from labeler.loading import Model, load_model
from labeler.preprocess import draw_recipe, prepare_samples
from labeler.scanning import Windows
from labeler.signatures import Predict
from trainer.export import export_fold

WINDOW_S = 5.0
RATE = 44100
USUAL = 5  # windows


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Train, or take what an earlier run has trained; then listen."""
    seconds = 8.0 if options.quick else options.seconds
    windows = Windows(WINDOW_S, options.hop)
    with tempfile.TemporaryDirectory() as scratch:
        sound = Path(scratch) / "sound.wav"
        write_sound(data_folder(options, "data/esc10"), sound, seconds)
        rows = [row for name, model in models(options) for row in measure(name, model, sound, windows)]
    title = (
        f"{seconds:g} s of ESC-10 in real time, windows of {WINDOW_S:g} s every {options.hop:g} s: "
        "ms from a complete window to its label"
    )
    yield Table(title, ["", "median", "95 % within", "longest", "the window alone", "ratio to the usual way"], rows)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--seconds", type=float, default=30.0, help="of sound for each model; default: %(default)s")
    parser.add_argument("--hop", type=float, default=0.5, help="between windows, in seconds; default: %(default)s")


def models(options: argparse.Namespace) -> Iterator[tuple[str, Model]]:
    """The models that have not heard fold 1."""
    folder = options.work / ("listen_quick" if options.quick else "listen")
    given = {"corpus.root": str(data_folder(options, "data/esc10")), "convert.encodings": '["logmel", "gray"]'}
    combinations = [("gray", "builtin:scattering")]
    if options.quick:
        given["corpus.classes"] = json.dumps(["dog_bark", "rain"])
    else:
        combinations += [("logmel", str(data_folder(options, MOBILENET))), ("sound", str(data_folder(options, YAMNET)))]
    given |= {"merge": "{}", "train.modules": json.dumps([module for _, module in combinations])}
    run_study(STUDY, folder / "run", folder / "store", given)
    for encoding, module in combinations:
        named = {"encoding": encoding, "module": module, "head": "lbfgs", "seed": "0"}
        out, store = folder / f"model_{encoding}", Store(folder / "store")
        export_fold(folder / "run", named, "1", out, images_folder=folder / "run" / "images", store=store)
        yield f"{encoding}, {Path(module).name}", load_model(out)


def write_sound(folder: Path, path: Path, seconds: float) -> None:
    """A long recording of short ones."""
    parts = [audio.load(each, sr=RATE) for each in find(folder, int(seconds / 2))]
    soundfile.write(path, np.concatenate(parts)[: round(seconds * RATE)], RATE)


class Latencies(Listener):
    """Milliseconds of each window."""

    def __init__(self) -> None:
        self.ms: list[float] = []

    def heard(self, heard: Heard) -> None:
        """Remember them."""
        self.ms.append(1000 * heard.latency_s)


def measure(name: str, model: Model, sound: Path, windows: Windows) -> Iterator[list[Cell]]:
    """A row for lines, one for the live view, one for the usual way."""
    y, sr = audio.read(sound)
    parts = [y[k * sr : k * sr + round(windows.length_s * sr)] for k in range(int(len(y) / sr - windows.length_s))]
    single = model.single(np.stack([prepare_samples(part, sr, model.card) for part in parts[:2]]))
    alone = 1000 * statistics.median(timed(partial(score, model, single, part, sr))[0] for part in parts)
    usual = 1000 * usual_seconds(model, parts[:USUAL], sr) if model.card.takes == "image" else None
    for way in ("lines", "live view"):
        got = Latencies()
        with open("/dev/null", "w", encoding="utf-8") as nowhere:
            console = Console(file=nowhere, force_terminal=True, color_system="256", width=80, height=24)
            view = TerminalView(name, sr=sr, windows=windows, top=5, console=console)
            with view if way == "live view" else nullcontext():
                listen_to(model, FileSource(sound), windows, [got, *([view] if way == "live view" else [])])
        median, most = statistics.median(got.ms), float(np.percentile(got.ms, 95))
        yield [f"{name}: {way}", median, most, max(got.ms), alone, ratio(usual, median)]
    if usual is not None:
        yield [f"{name}: usual way", usual, None, None, None, "1.00x"]


def score(model: Model, single: Predict, y: np.ndarray, sr: int) -> np.ndarray:
    """What is done with a window."""
    return single(prepare_samples(y, sr, model.card)[None])


def usual_seconds(model: Model, parts: Sequence[np.ndarray], sr: int) -> float:
    """Median seconds for a window as a wav file, a figure, an image file and scores."""
    taken = []
    with tempfile.TemporaryDirectory() as scratch:
        wav, png = Path(scratch) / "window.wav", Path(scratch) / "window.png"
        write_bytes(png, image.encode_png(draw_recipe(parts[0], sr, model.card.recipe)))
        for part in [parts[0], *parts]:
            started = time.perf_counter()
            audio.write_wav(wav, part, sr)
            usual_image(wav)
            model.label(png)
            taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


if __name__ == "__main__":
    main(run, __doc__, arguments)
