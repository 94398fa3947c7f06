"""Augmented sounds in training alone: in the splits, in the tables, in repeats, networks and fused rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import SettingsError
from harness.label_changes import LabelChanges
from harness.shared_groups import SharedGroups
from harness.store import Store
from harness.tables import SCORE_PREFIX
from trainer.ablation import SOUND
from trainer.augmented_rows import check_images_only, original_rows
from trainer.crossvalidate import cross_validate, fold_sizes, predictions
from trainer.fitting import HeadSettings
from trainer.inputs import describe_splits, split_table
from trainer.repeats import regroupings


def _table(folds: list[str], *, takes: int = 4, copies: int = 2, groups: bool = True) -> pd.DataFrame:
    rows = []
    for fold in folds:
        for take in range(takes):
            name, label = f"{fold}-{take}.wav", "ab"[take % 2]
            for suffix in ("", *(f"@augmented{k}" for k in range(copies))):
                group = f"{fold}-g{take // 2}" if groups else ""
                rows.append({"clip_id": name + suffix, "label": label, "fold": fold, "group": group})
    table = pd.DataFrame(rows).sample(frac=1, random_state=0).reset_index(drop=True)  # whatever the order
    return table.assign(path="x/y.png")


@pytest.mark.parametrize("policy", ["official", "drop"])
@pytest.mark.parametrize("groups", [True, False])
@pytest.mark.parametrize("folds", [["1", "2", "3"], ["1", "2"], ["train", "validation", "test"]])
def test_changed_sounds_are_where_their_clip_is_trained_on_and_nowhere_else(
    folds: list[str], groups: bool, policy: str
) -> None:
    table = _table(folds, takes=8, groups=groups)
    if policy == "drop" and groups:  # a group in two folds: its clips are left out, and so are their changed sounds
        table.loc[table["clip_id"].str.startswith(("train-0", "1-0")), "group"] = f"{folds[-1]}-g1"
    shared = SharedGroups(policy)  # type: ignore[arg-type]
    plain = table[~table["clip_id"].str.contains("@")].reset_index(drop=True)
    for split, alone in zip(split_table(table, shared=shared), split_table(plain, shared=shared), strict=True):
        for part in ("train", "validation", "test", "refit"):
            names = set(table["clip_id"].iloc[getattr(split, part)])
            clips = set(plain["clip_id"].iloc[getattr(alone, part)])
            if part in ("train", "refit"):
                clips |= {f"{clip}@augmented{k}" for clip in clips for k in range(2)}
            assert names == clips and len(names) == len(getattr(split, part)), part
        assert (np.diff(split.train) > 0).all() and (np.diff(split.refit) > 0).all()


def test_counts_predictions_and_other_groupings_are_of_clips(tmp_path: Path) -> None:
    table = _table(["1", "2", "3"])
    features = np.random.default_rng(0).normal(size=(len(table), 5)).astype(np.float32)
    settings, store = HeadSettings(), Store(tmp_path)
    assert set(map(str, fold_sizes(table, settings=settings, seed=0).values())) == {"{'train': 8, 'test': 4}"}
    trained = cross_validate(features, table, settings=settings, seed=0, store=store)
    named = {"encoding": "e", "module": "m", "head": "lbfgs", "seed": "0"}
    tested = predictions(features, table, trained, named=named)
    assert sorted(tested["clip_id"]) == sorted(f"{fold}-{take}.wav" for fold in "123" for take in range(4))
    for row in tested.to_dict("records"):
        vector = features[table.index[table["clip_id"] == row["clip_id"]]]
        assert row[f"{SCORE_PREFIX}a"] == pytest.approx(trained.heads[row["fold"]].scores(vector)[0, 0], rel=1e-8)
    other = features + (table["clip_id"].str.contains("@").to_numpy()[:, None] * np.float32(3))
    assert cross_validate(other, table, settings=settings, seed=0, store=store).key != trained.key
    assert set(regroupings(table, 1)[0]) == set(tested["clip_id"])
    notes = describe_splits(table, 0, SharedGroups("official"), settings)["notes"]
    assert [note for note in notes if "augmented" in note] == [
        "Training sets also have the augmented sounds of their clips (24 of 12 clips in all); what is validated and "
        "tested are the clips as they are."
    ]


def test_a_changed_sound_whose_clip_cannot_be_read_is_in_no_part() -> None:
    table = _table(["1", "2", "3"])
    table = table[table["clip_id"] != "2-0.wav"].reset_index(drop=True)
    orphans = set(np.flatnonzero(table["clip_id"].str.startswith("2-0.wav@")))
    assert orphans == set(np.flatnonzero(original_rows(table) < 0))
    for split in split_table(table):
        assert orphans.isdisjoint([*split.train, *split.validation, *split.test, *split.refit])


def test_labels_that_are_changed_for_training_are_those_of_changed_sounds_too() -> None:
    changes = LabelChanges("t.csv", labels={"1-0.wav": "b"}, dropped=("2-1.wav",))
    table = changes.for_training(_table(["1", "2", "3"])).set_index("clip_id")["training_label"]
    assert (
        table["1-0.wav@augmented1"] == "b" and table["2-1.wav@augmented0"] == "" and table["3-0.wav@augmented0"] == "a"
    )


def test_modules_that_take_the_sound_are_refused() -> None:
    with pytest.raises(SettingsError, match="images of 'gray' are augmented, but a module takes the sound itself"):
        check_images_only(["gray", SOUND], {"gray": _table(["1", "2"])})
