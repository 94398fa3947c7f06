"""Images are the same bytes in every process, whatever its threads and its hash seed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness import audio

ROOT = Path(__file__).resolve().parents[2]
DRAW = """
import hashlib, sys
from harness import audio, image
from converter.registry import ENCODINGS
from converter.drawing import draw_pngs
from merger.merging import merge_png
from merger.registry import method_from_options

names = ENCODINGS.names()
small = [ENCODINGS[name](size=(48, 40), sample_rate=8000, duration_s=0.5) for name in names]
pngs = list(draw_pngs(sys.argv[1], small, start_s=float("nan"), end_s=float("nan")))
of = dict(zip(names, pngs))
merges = {"stack": ["gray", "waveform"], "blend": ["linear", "logmel"], "channels": ["gray", "0.3", "waveform"]}
for how, partners in merges.items():
    method = method_from_options(how, partners)
    of[how] = merge_png({name: of[name] for name in method.partners}, method, names={n: n for n in method.partners})
for name, png in sorted(of.items()):
    print(name, hashlib.sha256(png).hexdigest())
"""


def drawn_in_a_fresh_process(sound: Path, threads: int, hash_seed: int) -> list[str]:
    counts = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(counts, str(threads)), "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, "-c", DRAW, str(sound)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.long
def test_two_processes_with_other_threads_and_hash_seeds_draw_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.sin(2 * np.pi * 440 * np.arange(13230) / 22050) * 0.3 + rng.normal(0, 0.05, 13230)
    audio.write_wav(tmp_path / "a.wav", y, 22050)
    one = drawn_in_a_fresh_process(tmp_path / "a.wav", 1, 0)
    assert one == drawn_in_a_fresh_process(tmp_path / "a.wav", 4, 12345)
    assert len({line.split()[1] for line in one}) == len(one) > 8
