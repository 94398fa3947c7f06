"""What a worker process imports: little before it draws or merges, and nothing heavy while it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from harness import audio

CODE = """
import math, pickle, sys
from importlib import import_module
from pkgutil import iter_modules

import harness.image_tasks, harness.parallel
from converter.drawing import draw_pngs
from harness.extension import SettingsExtension
from merger.merging import merge_png

classes = []
for package in ("converter.encodings", "merger.methods"):
    for found in iter_modules(import_module(package).__path__):
        module = import_module(f"{package}.{found.name}")
        classes += [each for each in vars(module).values() if isinstance(each, type) and vars(each).get("name")]
print(*({"pandas", "matplotlib", "tensorflow", "sklearn", "typer", "librosa", "jinja2"} & set(sys.modules)))

drawn = [cls(size=(20, 30)) for cls in classes if hasattr(cls, "encode")]
pngs = list(draw_pngs(sys.argv[1], pickle.loads(pickle.dumps(drawn)), start_s=math.nan, end_s=math.nan))
data = {"a": pngs[0], "b": pngs[1]}
merged = [merge_png(data, cls(of=["a", "b", "a"]), names=data) for cls in classes if hasattr(cls, "merge")]
assert len(pngs) > 3 and len(merged) > 2
print(*({"pandas", "matplotlib.pyplot", "tensorflow", "sklearn", "typer", "librosa", "numba"} & set(sys.modules)))
"""


def test_a_worker_imports_little(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "a.wav", np.sin(np.arange(3000) / 9), 16000)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "a.wav")],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\n\n"
