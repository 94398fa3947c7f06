"""The public API: the lines of the README, names, and what stands in their way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import CLASSES, RATE, sound, write_corpus, write_study

import soundfold as sf
from harness import audio
from harness.audio import write_wav
from harness.errors import SettingsError, SoundfoldError
from harness.installation import check_packages

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_lines_of_the_readme(tmp_path: Path, tiny_module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL) if "sf." in block)
    statements = ast.parse(code).body
    assert len(statements) == 5
    write_corpus(tmp_path / "recordings")
    write_study(tmp_path / "birds.toml", tmp_path / "recordings", [tiny_module])
    for name in ("dog.wav", "new.wav"):
        write_wav(tmp_path / name, sound("hum", 99), RATE)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    values = []
    for statement in statements:
        if isinstance(statement, ast.Expr):
            values.append(eval(compile(ast.Expression(statement.value), "README.md", "eval"), names))
        else:
            exec(compile(ast.Module([statement], []), "README.md", "exec"), names)
    image, scores = values
    assert image.shape == (224, 224, 3)
    clips, run = names["clips"], names["run"]
    assert isinstance(clips, pd.DataFrame)
    assert set(clips["label"]) == set(CLASSES)
    assert list(run.ranking["encoding"]) == ["gray"]
    assert len(run.predictions) == len(clips)
    assert run.verdict[0].startswith("gray on ")
    assert str(run).splitlines()[0].startswith("encoding")
    assert scores.index[0] == "hum"
    assert set(scores.index) == set(CLASSES)
    assert scores.sum() == pytest.approx(1)
    assert scores.is_monotonic_decreasing
    pd.testing.assert_series_equal(run.model.label("new.wav"), scores)


def test_samples_work_as_well_as_a_path(tmp_path: Path) -> None:
    y = sound("chirp", 1)
    write_wav(tmp_path / "x.wav", y, RATE)
    read, sr = audio.read(tmp_path / "x.wav")
    encoding = sf.LogMel(n_mels=16, size=(20, 30))
    assert np.array_equal(sf.draw(tmp_path / "x.wav", encoding), sf.draw(read, encoding, sr=sr))
    with pytest.raises(SettingsError, match="sr is missing"):
        sf.draw(y, encoding)
    with pytest.raises(SettingsError, match="expected an encoding"):
        sf.draw(y, "logmel", sr=RATE)  # type: ignore[arg-type]


def test_an_unknown_name_says_what_was_meant() -> None:
    with pytest.raises(AttributeError, match="did you mean 'LogMel'"):
        sf.Logmel  # noqa: B018
    assert set(sf.__all__) <= set(dir(sf))


def test_import_is_quick() -> None:
    code = "import sys, soundfold; assert not {'numpy', 'pandas', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("package", ["trainer", "harness"])
def test_a_foreign_package_of_the_same_name_is_named(package: str, tmp_path: Path) -> None:
    """Coqui's trainer, say: installed later, it replaces __init__.py and leaves our modules around it."""
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text('"""Somebody else\'s."""\n')
    path = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append({str(ROOT)!r}); "
    for line in (
        "import soundfold; soundfold.study",
        "sys.argv = ['soundfold', 'study']; import soundfold as s; s.main()",
    ):
        done = subprocess.run([sys.executable, "-c", path + line], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode != 0
        assert str(tmp_path / package) in done.stderr
        assert "environment of its own" in done.stderr


def test_our_own_packages_pass() -> None:
    check_packages()


def test_errors_are_one_exception() -> None:
    with pytest.raises(SoundfoldError, match=r"n_mels=0: must be a positive integer"):
        sf.LogMel(n_mels=0)
