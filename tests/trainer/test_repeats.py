"""``repeats.csv``: heads over other groupings of the clips into folds."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import Said, command

from harness.errors import SettingsError
from harness.hub.kinds import parse
from harness.record import read_steps
from harness.store import Store
from harness.tables import PREDICTIONS, REPEATS, read
from trainer.__main__ import app
from trainer.bottlenecks import image_features
from trainer.crossvalidate import cross_validate, fold_sizes, predictions
from trainer.fitting import HeadSettings
from trainer.inputs import read_encoding, training_order
from trainer.repeats import check_repeatable, regroupings


def clips_table(n_groups: int = 12, per_group: int = 3, folds: int = 3) -> pd.DataFrame:
    rows = [
        {"clip_id": f"{g}-{i}", "label": "ab"[g % 2], "fold": str(g % folds + 1), "group": f"g{g}"}
        for g in range(n_groups)
        for i in range(per_group)
    ]
    return pd.DataFrame(rows)


def test_other_groupings_are_stratified_by_whole_groups_and_seeded() -> None:
    table = clips_table()
    found = regroupings(table, 3)
    assert found == regroupings(table.sample(frac=1, random_state=1), 3), "whatever the order of rows"
    assert found[:2] == regroupings(table, 2)
    assert len({tuple(each.values()) for each in found}) == 3
    for each in found:
        fold = table["clip_id"].map(each)
        assert set(fold) == {"1", "2", "3"}
        assert (fold.groupby(table["group"]).nunique() == 1).all()
        assert (pd.crosstab(fold, table["label"]) == 6).all(axis=None)


def test_what_cannot_be_regrouped_is_named() -> None:
    with pytest.raises(SettingsError, match=r"\[evaluate\] repeats=2: the clips have a single split"):
        check_repeatable(["train", "test"], 2, name="study.toml: [evaluate] repeats")
    check_repeatable(["train", "test"], 0)
    with pytest.raises(SettingsError, match="repeats=1: the clips cannot be regrouped; folds=3: expected 2 to 2"):
        regroupings(clips_table().assign(group=lambda t: t["label"]), 1)


def trained(studied: Path, out: Path, module: str, *more: object, capsys: pytest.CaptureFixture[str]) -> Said:
    run = studied / "run"
    where = ["--images", run / "images" / "images.csv", "--store", studied / "store", "--out", out]
    return command(app, "run", *where, "--module", module, "--encoding", "gray", *more, capsys=capsys)


def test_repeats_are_cross_validations_over_other_folds_and_go_where_they_are_not_asked_for(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    said = trained(studied, out, tiny_module, "--repeats", 2, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    found = read(out / REPEATS.name, REPEATS)
    store = Store(studied / "store")
    table = training_order(read_encoding(studied / "run" / "images" / "images.csv", "gray"))
    module = parse(tiny_module)
    values = image_features(table["path"].tolist(), module, store=store, load=None, what="").values  # type: ignore[arg-type]
    settings = HeadSettings()
    for repeat, fold_of in enumerate(regroupings(table, 2), start=1):
        regrouped = table.assign(fold=table["clip_id"].map(fold_of))
        heads = cross_validate(values, regrouped, settings=settings, seed=0, store=store)
        wanted = predictions(values, regrouped, heads, named={"encoding": "gray"})
        right = (wanted["predicted"] == wanted["label"]).groupby(wanted["fold"]).mean()
        own = found[found["repeat"] == str(repeat)].set_index("fold")
        assert own["accuracy"].to_dict() == pytest.approx(right.to_dict())
        sizes = fold_sizes(regrouped, settings=settings, seed=0)
        assert {f: {"train": r.train, "test": r.test} for f, r in own.iterrows()} == sizes
    assert read_steps(out)["repeats"]["spec"]["repeats"] == 2
    official = read(studied / "run" / PREDICTIONS.name, PREDICTIONS)
    again = read(out / PREDICTIONS.name, PREDICTIONS)
    same = official[(official["encoding"] == "gray") & (official["module"] == tiny_module)]
    assert list(again["predicted"]) == list(same["predicted"]), "the folds of the corpus stay what is quoted"
    trained(studied, out, tiny_module, capsys=capsys)
    assert not (out / REPEATS.name).exists()


def test_somebody_elses_table_is_not_replaced(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / REPEATS.name).write_text("mine")
    said = trained(studied, out, tiny_module, capsys=capsys)
    assert said.code == 1
    assert "repeats.csv: is in the way" in said.err
    assert (out / REPEATS.name).read_text() == "mine"
