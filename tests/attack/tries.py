"""Many small attacks in one process: damaged files of every kind that the project reads or writes.

A try takes one file, damages it by a seeded rule, and reads it as the program does. It is *right* where what is read is
whole and, where that can be known, as before; *refused* where one line says what is the matter; else it is *wrong*, a
*traceback*, or a *hang* (20 s of a core, or 2 min in all).
"""

from __future__ import annotations

import io
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
from attack.damage import damaged
from PIL import Image
from small_study import RATE, sound, write_corpus

from converter.pipeline import convert_clips
from converter.selection import encodings_from_study
from corpora.scanning import scan_to_table
from evaluator.evaluation import evaluate
from harness import audio, image, tables
from harness.decoding import decode_blocks
from harness.errors import SoundfoldError
from harness.files import read_json
from harness.model import ModelCard, check_files, is_whole, read_card, write_card
from harness.record import read_steps
from harness.store import Store
from harness.study_file import read_study
from harness.tables import CLIPS, FAILURES, IMAGES, METRICS, PREDICTIONS, Schema
from harness.vectors import Vectors

OUTCOMES = ("right", "refused", "wrong", "traceback", "hang")
_CPU_S, _ALL_S = 20, 120
_TEXT = "=+-@'\t\r\n\",; aéü音\\|0$%/..\x01\x7f\u2028\ufeff"
_VALUES = (
    *("[]", "{}", '""', "-1", "0", "1e308", "nan", "inf", "-inf", "true", "[1]", '["x"]', "[[]]", "{a = 1}"),
    *("99999999999999999999999", "2020-01-01", '"\\u0000"', '["gray", "gray"]', '"10/20/70"', '"("', "'''x"),
)


class Hang(BaseException):
    """It takes too long."""


@dataclass
class Subjects:
    """Files of every kind, whole."""

    home: Path
    sounds: dict[str, bytes] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    tables: dict[Path, Schema] = field(default_factory=dict)
    entries: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return Store(self.home / "store")


def make_subjects(home: Path) -> Subjects:
    """A corpus, its images, its tables, a model's folder, the store; sounds and images of all formats."""
    found = Subjects(home, _encoded_sounds(), _encoded_images())
    run = home / "run"
    clips = scan_to_table(
        "folders", write_corpus(home / "sounds", takes=1), out=run / "clips.csv", pattern=r"(?P<fold>\d+)-"
    ).clips
    encodings = encodings_from_study({"encodings": ["gray"], "size": [16, 16], "sample_rate": RATE, "n_fft": 256})
    convert_clips(clips, encodings, run / "images", store=found.store)
    predicted = clips.assign(encoding="gray", module="m", head="", seed="0", predicted=clips["label"])
    scores = {f"p:{name}": (clips["label"] == name).astype(float) for name in sorted(set(clips["label"]))}
    tables.write(predicted.assign(**scores), run / PREDICTIONS.name, PREDICTIONS)
    failed = [{"clip_id": "=x", "path": "a\rb", "step": "convert", "reason": "x"}]
    tables.write(tables.frame(failed, FAILURES), run / FAILURES.name, FAILURES)
    evaluate(run)
    write_model(home / "model", sorted(set(clips["label"])))
    with Vectors(found.store) as vectors:
        vectors.put(["ab" * 32, "cd" * 32], np.ones((2, 5), np.float32))
    for folder, schema in ((run, CLIPS), (run, PREDICTIONS), (run, METRICS), (run, FAILURES), (run / "images", IMAGES)):
        found.tables[folder / schema.name] = schema
    for path in sorted(p for p in (home / "store").rglob("*") if p.is_file()):
        place = (path.parts[-3], path.stem, path.suffix)
        data = found.store.get(*place)
        if data is not None:
            found.entries[place] = data
    return found


def _encoded_sounds() -> dict[str, bytes]:
    y, found = sound("chirp", 1), {}
    kinds = (
        "WAV:PCM_16 WAV:FLOAT WAV:IMA_ADPCM WAV:GSM610 FLAC:PCM_16 OGG:VORBIS OGG:OPUS MP3:MPEG_LAYER_III AIFF:PCM_16"
    )
    for kind in f"{kinds} AU:PCM_16 CAF:PCM_16 CAF:ALAC_16 W64:PCM_16 RF64:PCM_16".split():
        data = io.BytesIO()
        soundfile.write(data, y, RATE, format=kind.split(":")[0], subtype=kind.split(":")[1])
        found[kind] = data.getvalue()
    return {**found, "mp4": _aac(y, "mp4"), "matroska": _aac(y, "matroska"), "adts": _aac(y, "adts")}


def _aac(y: np.ndarray, kind: str) -> bytes:
    import av

    data = io.BytesIO()
    with av.open(data, "w", format=kind) as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"  # type: ignore[union-attr]
        for start in range(0, len(y), 1024):
            frame = av.AudioFrame.from_ndarray(y[None, start : start + 1024].copy(), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))  # type: ignore[union-attr]
        container.mux(stream.encode(None))  # type: ignore[union-attr]
    return data.getvalue()


def _encoded_images() -> dict[str, bytes]:
    pixels, found = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8), {}
    for kind in "PNG JPEG GIF BMP WEBP TIFF".split():
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, kind)
        found[kind] = data.getvalue()
    return {**found, "palette": image.encode_png(pixels // 64 * 64)}


def write_model(folder: Path, classes: list[str]) -> None:
    """The folder of a model, but for a SavedModel that runs."""
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index"):
        (folder / name).write_bytes(random.Random(name).randbytes(300))
    module = {"handle": "m", "digest": "ab", "takes": "image", "height": 16, "width": 16, "value_range": [0.0, 1.0]}
    recipe = {"encoding": "gray", "spec": {"encoding": "gray"}}
    write_card(folder, ModelCard(classes, "image", {**module, "sample_rate": 0, "features": 5}, recipe))


def try_sound(subjects: Subjects, rng: random.Random) -> str:
    """A damaged sound gives finite samples or a line."""
    kind = rng.choice(list(subjects.sounds))
    path = subjects.home / f"try.{rng.choice(['wav', 'mp3', 'flac', 'm4a'])}"
    path.write_bytes(damaged(subjects.sounds[kind], rng))
    if rng.random() < 0.2:
        audio.duration(path)
        blocks = [y for y, _ in decode_blocks(path, 0.1)]
        return "right" if all(block.dtype == np.float32 for block in blocks) else "wrong"
    y = audio.load(path, sr=RATE)
    return "right" if y.ndim == 1 and len(y) and np.isfinite(y).all() else "wrong"


def try_image(subjects: Subjects, rng: random.Random) -> str:
    """A damaged image gives pixels or a line."""
    pixels = image.decode(damaged(subjects.images[rng.choice(list(subjects.images))], rng), name="try.png")
    return "right" if pixels.dtype == np.uint8 and pixels.shape[2:] == (3,) and pixels.size else "wrong"


def try_table(subjects: Subjects, rng: random.Random) -> str:
    """A damaged table is one of its schema, or named with a line."""
    path = rng.choice(list(subjects.tables))
    copy = subjects.home / path.name
    copy.write_bytes(damaged(path.read_bytes(), rng))
    tables.check(tables.read(copy, subjects.tables[path]), subjects.tables[path])
    return "right"


def try_cells(subjects: Subjects, rng: random.Random) -> str:
    """A table of hostile text reads back as it was."""
    path, schema = rng.choice(list(subjects.tables.items()))
    text = {c: ["x" + _some_text(rng) if c in schema.filled else _some_text(rng)] for c in schema.text}
    table = tables.check(pd.DataFrame(text).assign(**dict.fromkeys(schema.number, 1.0)), schema)
    tables.write(table, subjects.home / path.name, schema)
    return "right" if tables.read(subjects.home / path.name, schema).equals(table) else "wrong"


def _some_text(rng: random.Random) -> str:
    return "".join(rng.choice(_TEXT) for _ in range(rng.randint(0, 9)))


def try_entry(subjects: Subjects, rng: random.Random) -> str:
    """A damaged entry of the store is as good as none, never another one."""
    place = rng.choice(list(subjects.entries))
    path = subjects.store.path(*place)
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, rng))
    try:
        found = subjects.store.get(*place)
    finally:
        path.write_bytes(whole)
    return "refused" if found is None else "right" if found == subjects.entries[place] else "wrong"


def try_drawn_image(subjects: Subjects, rng: random.Random) -> str:
    """A damaged image of a run is not taken for the one that was drawn."""
    path = rng.choice(sorted((subjects.home / "run" / "images").rglob("*.png")))
    data = path.read_bytes()
    bad = damaged(data, rng)
    (subjects.home / "try.png").write_bytes(bad)
    image.read(subjects.home / "try.png", digest=image.digest_bytes(data))
    return "right" if bad == data else "wrong"


def try_model(subjects: Subjects, rng: random.Random) -> str:
    """A damaged model is known, in one line where a person would use it."""
    folder = subjects.home / "model"
    path = rng.choice(sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "labels.txt"))
    whole = path.read_bytes()
    path.write_bytes(bad := damaged(whole, rng))
    try:
        if is_whole(folder) and read_json_or_none(path, whole) != read_json_or_none(path, bad):
            return "wrong"
        check_files(folder, read_card(folder))
    finally:
        path.write_bytes(whole)
    return "right" if path.name == "model.json" or bad == whole else "wrong"


def read_json_or_none(path: Path, data: bytes) -> Any:
    """What a JSON file says; of another file its bytes."""
    if path.suffix != ".json":
        return data
    copy = path.parent.parent / "try.json"
    copy.write_bytes(data)
    return read_json(copy)


def try_record(subjects: Subjects, rng: random.Random) -> str:
    """A damaged ``run.json`` gives steps or a line."""
    folder = subjects.home / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_bytes(damaged((subjects.home / "run" / "run.json").read_bytes(), rng))
    return "right" if isinstance(read_steps(folder), dict) else "wrong"


def try_study(subjects: Subjects, rng: random.Random) -> str:
    """A study with odd values, or damaged, is read or named with a line."""
    lines = ["[corpus]", "name = 'demo'", "seed = 0", "[convert]", "encodings = ['gray']", "size = [16, 16]"]
    lines += ["n_mels = 24", "[merge.both]", "how = 'stack'", "of = ['gray', 'gray']", "[train]", "seeds = [0]"]
    lines += ["modules = ['builtin:scattering']", "head = 'lbfgs'", "strengths = [1.0]", "[evaluate]", "baseline = ''"]
    for _ in range(rng.randint(0, 2)):
        at = rng.choice([k for k, line in enumerate(lines) if "=" in line])
        deep = "[" * rng.choice([60, 3000]) if rng.random() < 0.05 else rng.choice(_VALUES)
        lines[at] = f"{lines[at].partition('=')[0]}= {deep}"
    data = "\n".join(lines).encode()
    path = subjects.home / "try.toml"
    path.write_bytes(rng.choice([b"", b"\xef\xbb\xbf"]) + (damaged(data, rng) if rng.random() < 0.4 else data))
    given, _ = read_study(path)
    encodings_from_study(given.convert)
    return "right"


KINDS: dict[str, tuple[Callable[[Subjects, random.Random], str], int]] = {
    "sound": (try_sound, 30),
    "image": (try_image, 15),
    "table": (try_table, 8),
    "cells": (try_cells, 4),
    "entry": (try_entry, 15),
    "drawn image": (try_drawn_image, 6),
    "model": (try_model, 10),
    "record": (try_record, 4),
    "study": (try_study, 8),
}
"""By name: what is tried, and its part of a hundred tries."""


def run_tries(
    subjects: Subjects, *, seed: int, tries: int, only: tuple[str, int] | None = None
) -> Iterator[tuple[str, int, str, str]]:
    """Give kind, number, outcome and details of every try; one alone where `only` names it."""
    names, parts = list(KINDS), [part for _, part in KINDS.values()]
    for number in range(tries):
        kind = random.Random(f"{seed} {number}").choices(names, parts)[0]
        if only is None or only == (kind, number):
            outcome, details = _outcome(KINDS[kind][0], subjects, random.Random(f"{seed} {kind} {number}"))
            yield kind, number, outcome, details


def summary(found: Counter[tuple[str, str]], kinds: Iterable[str] = KINDS) -> str:
    """A line for each kind, and one for all."""
    lines = [f"{'':19}{'tried':>7}" + "".join(f"{name:>11}" for name in OUTCOMES)]
    for kind in [*kinds, "all"]:
        counts = [sum(n for (k, o), n in found.items() if kind in (k, "all") and o == name) for name in OUTCOMES]
        lines.append(f"{kind:19}{sum(counts):7}" + "".join(f"{n:11}" for n in counts))
    return "\n".join(lines)


def _outcome(
    attack: Callable[[Subjects, random.Random], str], subjects: Subjects, rng: random.Random
) -> tuple[str, str]:
    try:
        with _limited():
            return attack(subjects, rng), ""
    except SoundfoldError as error:
        text = str(error)
        return ("refused" if text and len(text.splitlines()) == 1 else "wrong"), text
    except Hang:
        return "hang", ""
    except Exception as error:
        return "traceback", f"{type(error).__name__}: {error}"


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    limits = ((signal.SIGPROF, signal.ITIMER_PROF, _CPU_S), (signal.SIGALRM, signal.ITIMER_REAL, _ALL_S))
    for number, timer, seconds in limits:
        signal.signal(number, stop)
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for number, timer, _ in limits:
            signal.setitimer(timer, 0)
            signal.signal(number, signal.SIG_DFL)
