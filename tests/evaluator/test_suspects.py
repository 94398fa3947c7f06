"""Suspected labels: labels swapped on purpose are found, as cleanlab has them; what a person judged stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluator.combinations import Combination, combinations_of
from evaluator.predictions import classes_of, score_matrix
from evaluator.suspects import choose_rows, estimated_errors, suspected_labels, write_suspects
from harness.errors import SettingsError
from harness.tables import CLIPS, SUSPECTS, frame, read

ROW = Combination("gray", "m", "lbfgs")


def given(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels as numbers, of one seed."""
    own = table[table["seed"] == "0"]
    classes = classes_of(own)
    scores = score_matrix(own, classes)
    assert scores is not None
    return scores, pd.Index(classes).get_indexer(own["label"])


def relabelled(table: pd.DataFrame, wrong: dict[str, str]) -> pd.DataFrame:
    return table.assign(label=[wrong.get(c, x) for c, x in zip(table["clip_id"], table["label"], strict=True)])


def test_wrong_labels_come_first(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({tuple(ROW): 1.0}, seeds=("0", "1"))
    true = dict(zip(table["clip_id"], table["label"], strict=True))
    names = sorted(set(true.values()))
    wrong = {f"{i}.wav": names[(names.index(true[f"{i}.wav"]) + 1) % 4] for i in range(0, 100, 10)}
    found = suspected_labels(relabelled(table, wrong), [ROW])
    assert set(found["clip_id"]) == set(wrong)
    assert dict(zip(found["clip_id"], found["suggested"], strict=True)) == {clip: true[clip] for clip in wrong}
    assert dict(zip(found["clip_id"], found["label"], strict=True)) == wrong
    assert found["quality"].is_monotonic_increasing
    assert found.attrs["estimate"] == pytest.approx(10, abs=2)
    assert found.attrs["clips"] == 100


def test_scores_are_averaged_over_seeds_and_rows(make_predictions: Callable[..., pd.DataFrame]) -> None:
    rows = [ROW, Combination("logmel", "m", "lbfgs")]
    table = make_predictions({tuple(row): 0.5 for row in rows}, seeds=("0", "1"))
    found = suspected_labels(table, rows).set_index("clip_id")
    for clip in found.index[:5]:
        own = table[table["clip_id"] == clip]
        assert len(own) == 4
        assert found.loc[clip, "p_label"] == pytest.approx(own[f"p:{own['label'].iloc[0]}"].mean())
        assert found.loc[clip, "p_suggested"] == pytest.approx(own.filter(like="p:").mean().max())
    assert len(found) != len(suspected_labels(table, rows[:1]))


@pytest.mark.parametrize("accuracy", [0.4, 0.8, 0.95])
def test_the_same_as_cleanlab(make_predictions: Callable[..., pd.DataFrame], accuracy: float) -> None:
    from cleanlab.count import compute_confident_joint
    from cleanlab.rank import get_label_quality_scores

    table = make_predictions({tuple(ROW): accuracy}, n=300)
    scores, labels = given(table)
    joint = compute_confident_joint(labels, scores, calibrate=True)
    assert estimated_errors(scores, labels) == pytest.approx(joint.sum() - np.trace(joint), abs=2)  # it rounds entries
    quality = get_label_quality_scores(labels, scores, method="self_confidence")
    found = suspected_labels(table, [ROW]).set_index("clip_id")["quality"]
    expected = pd.Series(quality, table["clip_id"])[found.index]
    np.testing.assert_allclose(found, expected)


def test_rows_without_probabilities_give_no_suspects(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({tuple(ROW): 0.5})
    scores = table.filter(like="p:").columns
    for changed in (table.drop(columns=scores), table.assign(**{c: 3 * table[c] for c in scores})):
        found = suspected_labels(changed, [ROW])
        assert found.empty and found.attrs["estimate"] is None


def test_rows_are_named_as_the_ranking_has_them(make_predictions: Callable[..., pd.DataFrame]) -> None:
    rows = [
        Combination("gray", "a:b", "lbfgs"),
        Combination("gray", "c:d", "lbfgs"),
        Combination("mel", "a:b", "lbfgs"),
    ]
    assert choose_rows(rows, []) == rows[:1]
    assert choose_rows(rows, ["gray"]) == rows[:2]
    assert choose_rows(rows, ["gray on c:d", "mel"]) == rows[1:]
    assert choose_rows(rows, ["all"]) == rows
    with pytest.raises(SettingsError, match=r"rows='grey': no such row; did you mean 'gray'"):
        choose_rows(rows, ["grey"])


def test_what_a_person_judged_stays(make_predictions: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    table = make_predictions({tuple(ROW): 0.7})
    found = suspected_labels(table, combinations_of(table))
    clips = frame([{"clip_id": c, "path": f"=/a/{c}"} for c in found["clip_id"]], CLIPS)
    file = tmp_path / "suspects.csv"
    assert write_suspects(found, clips, file) == ""
    first = read(file, SUSPECTS)
    assert ",'=/a/" in file.read_text()
    assert first["path"][0] == f"=/a/{first['clip_id'][0]}"
    judged = first.assign(accept=["", "yes", *[""] * (len(first) - 2)], suggested=["x", "x", *first["suggested"][2:]])
    judged.to_csv(file, index=False)
    assert write_suspects(found.iloc[3:], clips, file) == ""
    again = read(file, SUSPECTS)
    assert again["clip_id"].tolist() == [first["clip_id"][1], *first["clip_id"][3:]]
    assert again.loc[0, ["suggested", "accept"]].tolist() == ["x", "yes"]


def test_a_table_that_cannot_be_read_is_left_as_it_is(
    make_predictions: Callable[..., pd.DataFrame], tmp_path: Path
) -> None:
    table = make_predictions({tuple(ROW): 0.7})
    file = tmp_path / "suspects.csv"
    file.write_text("clip_id;label\na.wav;dog\n")
    said = write_suspects(suspected_labels(table, [ROW]), frame([], CLIPS), file)
    assert str(file) in said and "it was left as it is" in said
    assert file.read_text() == "clip_id;label\na.wav;dog\n"
