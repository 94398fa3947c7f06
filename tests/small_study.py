"""What the tests of trainer, labeler and study share: small sounds, small modules, command lines in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CLASSES = ("chirp", "hum", "hiss")
PATTERN = r"(?P<fold>\d+)-(?P<group>\d+)-"
RATE = 8000
MERGES = """
[merge.stacked]
how = "stack"
of = ["gray", "waveform"]
[merge.merged]
how = "channels"
of = ["gray", 0.25, {encoding = "waveform", invert = true}]
"""


def sound(kind: str, number: int, *, seconds: float = 0.3) -> np.ndarray:
    """A noisy sound of one of the classes, seeded."""
    rng = np.random.default_rng([CLASSES.index(kind), number])
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = 300 * (1 + 0.3 * rng.random())
    clean = {
        "chirp": np.sin(2 * np.pi * (pitch * t + 2500 * t**2)),
        "hum": np.sin(2 * np.pi * pitch * t) + 0.5 * np.sin(4 * np.pi * pitch * t),
        "hiss": rng.standard_normal(len(t)),
    }[kind]
    return (0.2 * clean + 0.1 * rng.standard_normal(len(t))).clip(-1, 1).astype(np.float32)


def write_corpus(root: Path, *, folds: int = 3, takes: int = 3) -> Path:
    """Class folders of short wavs, named ``<fold>-<group>-<take>.wav``."""
    from harness.audio import write_wav

    for k, kind in enumerate(CLASSES):
        for fold in range(1, folds + 1):
            for take in range(takes):
                group = 100 * k + 10 * fold + take // 2
                write_wav(root / kind / f"{fold}-{group}-{take}.wav", sound(kind, 10 * fold + take), RATE)
    return root


def write_study(path: Path, root: Path, modules: list[str], *, more: str = "", encodings: str = '["gray"]') -> Path:
    """A study of such a corpus with small pictures; `more` goes to its end."""
    listed = ", ".join(f"'{m}'" for m in modules)
    path.write_text(
        f"[corpus]\nname = 'folders'\nroot = '{root}'\npattern = '{PATTERN}'\n"
        f"[convert]\nencodings = {encodings}\nsize = [32, 32]\nsample_rate = {RATE}\nn_fft = 256\nhop_length = 64\n"
        f"n_mels = 32\n[train]\nmodules = [{listed}]\n{more}",
        encoding="utf-8",
    )
    return path


def sound_module(folder: Path) -> str:
    """A SavedModel that takes waveforms (N, samples) and gives 6 features; its name says YAMNet's rate."""
    from harness.hub.tensorflow import import_tensorflow

    tf = import_tensorflow()
    edges = (0, 100, 200, 400, 700, 1000, 2049)
    bands = np.zeros((2049, 6), np.float32)
    for k, (low, high) in enumerate(pairwise(edges)):
        bands[low:high, k] = 1 / (high - low)

    class Bands(tf.Module):  # type: ignore[misc, name-defined]
        @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float32, name="waveform")])
        def __call__(self, waveform: Any) -> Any:
            first, last = (tf.abs(tf.signal.rfft(part)) ** 2 for part in (waveform[:, :4096], waveform[:, -4096:]))
            return tf.math.log(tf.matmul(first + 2.0 * last, bands) + 1e-6)

    module = Bands()
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())
    return str(folder)


@dataclass
class Said:
    """What a command line left behind."""

    code: int
    out: str
    err: str

    @property
    def warnings(self) -> list[str]:
        """Lines on stderr that say what is wrong or odd; the others say how far it has come."""
        return [line for line in self.err.splitlines() if line.startswith(("error:", "warning:", "Traceback"))]


def command(app: Callable[..., Any], *args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """Run a command line in this process, as the program would: exit code, stdout, stderr."""
    from harness.cli import guard

    capsys.readouterr()
    try:
        code = guard(lambda: app([str(arg) for arg in args]))
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def snapshot(folder: Path, *names: str) -> dict[str, bytes]:
    """Bytes of a run's tables (or of the files named), by name."""
    wanted = [folder / n for n in names] or [*folder.glob("*.csv"), folder / "images" / "images.csv"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(wanted)}
