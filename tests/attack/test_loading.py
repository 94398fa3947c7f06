"""Studies, models and modules that are damaged or odd are named before any work is done; a plan changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from attack.tries import write_model
from small_study import write_corpus, write_study

import study
from evaluator.tables import fold_table, recall_table
from harness.errors import ModuleError, SettingsError, SplitError
from harness.hub.base import HubModule, ModuleInfo
from harness.hub.probing import probe
from harness.model import read_card
from harness.store import Store
from harness.study_file import read_study
from harness.tables import RESERVED_FOLDS
from harness.toml import read_toml, toml_value
from trainer.inputs import check_trainable

DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "classes": lambda card: card.update(classes=["a", 1]),
    "classes ": lambda card: card.update(classes=["a", "a"]),
    "takes": lambda card: card.update(takes="smell"),
    "module": lambda card: card["module"].pop("height"),
    "module ": lambda card: card["module"].update(width=-1),
    "module  ": lambda card: card["module"].update(value_range=[0]),
    "longest_s": lambda card: card.update(longest_s=float("nan")),
    "files": lambda card: card.update(files={"../../etc/passwd": "ab"}),
    "picture": lambda card: card.update(picture={"merge": "x", "of": [], "spec": {}}),
    "versions": lambda card: card.update(versions=[]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_18_a_damaged_card_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    write_model(folder, ["a", "b"])
    path = folder / "model.json"
    card = json.loads(path.read_text())
    DAMAGE[name](card)
    path.write_text(json.dumps(card))
    with pytest.raises(ModuleError, match=rf"model\.json: damaged \({name.strip()}: "):
        read_card(folder)


def test_18_a_card_nested_thousands_of_levels_deep(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("[" * 100_000)
    with pytest.raises(ModuleError, match=r"model\.json: not readable"):
        read_card(tmp_path)


def test_18_odd_toml(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbf[train]\nseeds = [3]\n")
    assert read_study(path)[0].train.seeds == [3]
    for text in ("a = " + "[" * 3000, "a = " + "9" * 5000, "[a\n", "a = '\xff'"):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(SettingsError, match=r"s\.toml: not "):
            read_toml(path)
    assert toml_value("[" * 3000) == "[" * 3000


@pytest.mark.parametrize(
    "line",
    [
        *("train.modules=[]", "convert.encodings=[]", "convert.preset=[1]", "train.seeds=[-1]", "corpus.seed=-1"),
        *("convert.size=[9999999999999999999999, 16]", "train.strengths=[[]]", "merge.x=3", "corpus.folds=true"),
    ],
)
def test_18_odd_values_in_a_study(tmp_path: Path, tiny_module: str, line: str) -> None:
    file = write_study(tmp_path / "s.toml", write_corpus(tmp_path / "sounds", takes=1), [tiny_module])
    with pytest.raises(SettingsError) as raised:
        study.make_plan(file, [line], Store(tmp_path / "store"))
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("fold", sorted(RESERVED_FOLDS))
def test_18_folds_named_as_summaries_are_refused_before_training(fold: str) -> None:
    table = pd.DataFrame({"clip_id": ["1", "2"], "label": ["a", "b"], "fold": ["1", fold], "group": ["", ""]})
    with pytest.raises(SplitError, match=f"fold '{fold}': is the name of a summary or a column"):
        check_trainable(table)


def test_18_classes_may_be_named_like_columns() -> None:
    names = {"encoding": "gray", "module": "m", "head": "h"}
    rows = [{**names, "seed": "0", "fold": "pooled", "class": c, "metric": "recall", "value": 0.5} for c in names]
    rows += [{**names, "seed": "0", "fold": "1", "class": "", "metric": "accuracy", "value": 0.5}]
    ranked, metrics = pd.DataFrame([names]), pd.DataFrame(rows)
    assert list(recall_table(metrics, ranked).columns) == [*names, "encoding", "head", "module"]
    assert list(fold_table(metrics, ranked).columns) == [*names, "seed", "1"]


def odd_module(features: Callable[[np.ndarray], np.ndarray]) -> HubModule:
    info = ModuleInfo("odd", "ab", "image", 8, 8, (0.0, 1.0), 0, 4)

    class Odd(HubModule):
        def __call__(self, batch: np.ndarray) -> np.ndarray:
            return features(batch.astype(np.float32).reshape(len(batch), -1)[:, :4] / 255)

    return Odd(info, lambda x: x)


def test_18_modules_are_probed_when_they_are_loaded() -> None:
    probe(odd_module(lambda x: x))
    rng = np.random.default_rng(0)
    with pytest.raises(ModuleError, match="other features each time for the same image"):
        probe(odd_module(lambda x: x * rng.random(x.shape)))
    with pytest.raises(ModuleError, match="where other images are in the batch"):
        probe(odd_module(lambda x: x - x.mean(axis=0)))
    with pytest.raises(ModuleError, match=r"'odd' cannot be fed images \(IndexError"):
        probe(odd_module(lambda x: x[:, [9]]))


@pytest.mark.parametrize("images", ["true", "false"])
def test_20_a_dry_run_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_module: str, images: str
) -> None:
    for variable in ("HOME", "XDG_CACHE_HOME", "SOUNDFOLD_STORE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.chdir(tmp_path)
    settings = [f"train.modules=['{tiny_module}']", f"convert.keep_images={images}", "convert.ref='corpus'"]
    options = [word for setting in settings for word in ("--set", setting)]
    study.app(["--dry-run", "--store", str(tmp_path / "store"), *options], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []
