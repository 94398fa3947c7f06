"""A study that asks for repeats, all pairs and a baseline."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import write_corpus, write_study

import study
from harness.errors import SettingsError
from harness.record import read_steps
from harness.store import Store
from harness.tables import REPEATS, read

ASKED = "[evaluate]\nrepeats = 2\nall_pairs = true\nbaseline = 'waveform'\n"


def test_repeats_all_pairs_and_a_baseline(tmp_path: Path, tiny_module: str) -> None:
    root = write_corpus(tmp_path / "sounds")
    names = '["gray", "waveform", "linear"]'
    file = write_study(tmp_path / "small.toml", root, [tiny_module], encodings=names, more=ASKED)
    store, out = Store(tmp_path / "store"), tmp_path / "run"
    plan = study.make_plan(file, [], store)
    assert study.describe_plan(plan, out)[-1] == "repeats 2 other groupings of the clips into folds"
    first = study.run_study(plan, out).evaluation
    repeats = read(out / "repeats.csv", REPEATS)
    assert repeats.groupby(["encoding", "repeat"]).size().tolist() == [3] * 6
    differences = pd.read_csv(out / "differences.csv")
    assert differences["family"].tolist() == ["all"] * 3 + ["baseline"] * 2
    assert set(differences["repeats"]) == {2}
    assert any("corrected t over 2 x 3 folds, Holm over 3 pairs" in line for line in first.verdict)
    assert set(read_steps(out)["evaluate"]["inputs"]) == {"clips.csv", "predictions.csv", "repeats.csv"}

    heads = len(list((tmp_path / "store" / "heads").rglob("*.npz")))
    again = study.run_study(study.make_plan(file, ["evaluate.repeats=1", "evaluate.all_pairs=false"], store), out)
    assert len(list((tmp_path / "store" / "heads").rglob("*.npz"))) == heads, "heads are there already"
    assert set(read(out / "repeats.csv", REPEATS)["repeat"]) == {"1"}
    assert again.evaluation.differences["family"].tolist() == ["best"] * 2 + ["baseline"] * 2


def test_a_single_split_cannot_be_repeated(tmp_path: Path, tiny_module: str) -> None:
    root = write_corpus(tmp_path / "sounds", takes=4)
    file = write_study(tmp_path / "small.toml", root, [tiny_module], more="[evaluate]\nrepeats = 2\n")
    text = file.read_text(encoding="utf-8").replace("[convert]", "split = '60/20/20'\n[convert]", 1)
    file.write_text(text.replace("(?P<fold>\\d+)-", "\\d+-"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\[evaluate\] repeats=2: the clips have a single split"):
        study.make_plan(file, [], Store(tmp_path / "store"))
