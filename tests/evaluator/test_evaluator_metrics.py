"""Figures: by hand, against scikit-learn, and where they are not defined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from evaluator.metrics import average_precision_and_auroc, calibration_error, figures, metrics_table
from evaluator.predictions import prepare
from harness.errors import TableError
from harness.tables import METRICS, PREDICTIONS, check, frame


def rows(*lines: str, **scores: list[float]) -> pd.DataFrame:
    """Prepared predictions from lines of ``fold label predicted``."""
    made = []
    for i, line in enumerate(lines):
        fold, label, predicted = line.split()
        row = {"clip_id": f"{i}.wav", "encoding": "gray", "module": "m", "head": "lbfgs", "seed": "0"}
        row |= {"fold": fold, "label": label, "predicted": predicted}
        made.append(row | {f"p:{name}": values[i] for name, values in scores.items()})
    return prepare(frame(made, PREDICTIONS))


def value(metrics: pd.DataFrame, metric: str, fold: str, name: str = "") -> float:
    chosen = metrics[(metrics["metric"] == metric) & (metrics["fold"] == fold) & (metrics["class"] == name)]
    assert len(chosen) == 1, f"{metric} {fold} {name}: {len(chosen)} rows"
    return float(chosen["value"].iloc[0])


def has(metrics: pd.DataFrame, **wanted: str) -> bool:
    chosen = metrics
    for column, text in wanted.items():
        chosen = chosen[chosen["class" if column == "name" else column] == text]
    return len(chosen) > 0


def test_a_small_table_by_hand() -> None:
    found = metrics_table(rows("1 a a", "1 a b", "1 b b", "1 b b", "2 a a", "2 a a", "2 b a", "2 b b"))
    assert value(found, "accuracy", "1") == pytest.approx(3 / 4)
    assert value(found, "recall", "1", "a") == pytest.approx(1 / 2)
    assert value(found, "precision", "1", "b") == pytest.approx(2 / 3)
    assert value(found, "f1", "1", "a") == pytest.approx(2 / 3)
    assert value(found, "macro_f1", "1") == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert value(found, "recall", "mean", "a") == pytest.approx(3 / 4)
    assert value(found, "recall", "std", "a") == pytest.approx(np.sqrt(1 / 8))
    assert value(found, "recall", "pooled", "b") == pytest.approx(3 / 4)


def test_mean_over_folds_and_pooled_differ_where_folds_are_unequal() -> None:
    found = metrics_table(rows("1 a a", "2 a b", "2 b b", "2 a a", "2 b a"))
    assert value(found, "accuracy", "mean") == pytest.approx((1 + 1 / 2) / 2)
    assert value(found, "accuracy", "std") == pytest.approx(np.std([1, 0.5], ddof=1))
    assert value(found, "accuracy", "pooled") == pytest.approx(3 / 5)


def test_a_class_absent_from_a_fold_has_no_figures_there() -> None:
    found = metrics_table(rows("1 a a", "1 a b", "2 a a", "2 b b"))
    assert not has(found, fold="1", name="b")
    assert value(found, "recall", "mean", "b") == 1.0
    assert not has(found, fold="std", name="b")
    assert value(found, "balanced_accuracy", "1") == pytest.approx(1 / 2)
    assert value(found, "macro_f1", "1") == pytest.approx(2 / 3)
    assert np.isfinite(found["value"]).all()


def test_the_precision_of_what_was_never_predicted_is_left_out() -> None:
    found = metrics_table(rows("1 a a", "1 b a", "2 a a", "2 b b"))
    assert not has(found, fold="1", metric="precision", name="b")
    assert value(found, "recall", "1", "b") == 0.0
    assert value(found, "f1", "1", "b") == 0.0


def test_one_fold_has_no_deviation_and_no_folds_at_all_become_one() -> None:
    one = rows("1 a a", "1 b a")
    found = metrics_table(one)
    assert not has(found, fold="std")
    assert set(metrics_table(prepare(one.assign(fold="")))["fold"]) == {"all", "mean", "pooled"}


def test_calibration_error_by_hand() -> None:
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    label, predicted = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])
    # bins: 0.9 twice, half right, gap 0.4; 0.6 right, gap 0.4; 0.8 right, gap 0.2
    assert calibration_error(label, predicted, scores) == pytest.approx((2 * 0.4 + 0.4 + 0.2) / 4)
    assert calibration_error(label, predicted, scores, bins=1) == pytest.approx(abs(3 / 4 - 0.8))


@pytest.mark.parametrize("n_classes", [2, 3, 10, 50])
def test_agrees_with_scikit_learn(n_classes: int) -> None:
    rng = np.random.default_rng(n_classes)
    label = np.concatenate([np.arange(n_classes), rng.integers(n_classes, size=300)])
    logits = rng.standard_normal((len(label), n_classes)) + 2 * np.eye(n_classes)[label]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = scores.argmax(axis=1)
    found = figures(label, predicted, scores, n_classes=n_classes)
    names = np.arange(n_classes)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        label, predicted, labels=names, zero_division=np.nan
    )
    onehot = np.eye(n_classes)[label]
    wanted = {
        "accuracy": reference.accuracy_score(label, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(label, predicted),
        "macro_f1": reference.f1_score(label, predicted, average="macro"),
        "weighted_f1": reference.f1_score(label, predicted, average="weighted"),
        "log_loss": reference.log_loss(label, scores, labels=names),
        "macro_ap": np.mean([reference.average_precision_score(onehot[:, c], scores[:, c]) for c in names]),
        "macro_auroc": np.mean([reference.roc_auc_score(onehot[:, c], scores[:, c]) for c in names]),
    }
    for name, figure in wanted.items():
        assert found.overall[name] == pytest.approx(figure, abs=1e-12), name
    np.testing.assert_allclose(found.per_class["recall"], recall)
    np.testing.assert_allclose(found.per_class["precision"], precision)
    np.testing.assert_allclose(found.per_class["f1"], f1)


def test_average_precision_and_auroc_agree_with_scikit_learn_on_ties() -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(4, size=200)
    scores = np.round(rng.random((200, 4)), 1)
    scores[:, 3] = 0.5
    ap, auroc = average_precision_and_auroc(label, scores)
    for c in range(4):
        assert ap[c] == pytest.approx(reference.average_precision_score(label == c, scores[:, c]), abs=1e-12)
        assert auroc[c] == pytest.approx(reference.roc_auc_score(label == c, scores[:, c]), abs=1e-12)


def test_classes_ranked_in_parts_have_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    label, scores = rng.integers(5, size=40), rng.random((40, 5)).round(1)
    whole = average_precision_and_auroc(label, scores)
    for together in (1, 80, 150):
        monkeypatch.setattr("evaluator.metrics._TOGETHER", together)
        for a, b in zip(whole, average_precision_and_auroc(label, scores), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_row_order_changes_nothing(table: pd.DataFrame) -> None:
    shuffled = table.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(prepare(shuffled), table, check_exact=True)


def test_the_table_has_its_schema_and_every_figure_is_a_share(table: pd.DataFrame) -> None:
    found = check(metrics_table(table), METRICS)
    assert set(found["fold"]) == {"1", "2", "3", "4", "5", "mean", "std", "pooled"}
    shares = found[found["metric"] != "log_loss"]["value"]
    assert shares.between(0, 1).all()


def test_seeds_have_figures_of_their_own(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({("gray", "m", "lbfgs"): 0.8}, seeds=("0", "1"))
    both = metrics_table(table)
    alone = metrics_table(table[table["seed"] == "1"])
    pd.testing.assert_frame_equal(both[both["seed"] == "1"].reset_index(drop=True), alone)


def test_scores_that_are_no_probabilities_have_no_log_loss() -> None:
    found = metrics_table(rows("1 a a", "1 b a", "2 a a", "2 b b", a=[3.0, 1.0, 2.0, 0.0], b=[0.0, 0.5, 1.0, 2.0]))
    assert not has(found, metric="log_loss")
    assert not has(found, metric="calibration_error")
    assert value(found, "macro_auroc", "pooled") == pytest.approx((1 + 3 / 4) / 2)


def test_without_scores_there_is_accuracy_alone() -> None:
    found = metrics_table(rows("1 a a", "1 b a", "2 a a", "2 b b"))
    assert not has(found, metric="macro_ap")
    assert value(found, "accuracy", "pooled") == 3 / 4


def test_a_class_without_a_score_column_scores_0() -> None:
    found = metrics_table(rows("1 a a", "1 b b", "1 c a", a=[0.9, 0.1, 0.6], b=[0.1, 0.9, 0.4]))
    assert value(found, "recall", "1", "c") == 0.0
    assert value(found, "auroc", "1", "c") == pytest.approx(1 / 2)


def test_broken_predictions_are_named() -> None:
    good = rows("1 a a", "2 b b", a=[0.5, 0.5], b=[0.5, 0.5])
    with pytest.raises(TableError, match=r"label is empty for 1 predictions \(the first in row 3\)"):
        prepare(good.assign(label=["a", ""]))
    with pytest.raises(TableError, match=r"fold is empty for 1 of 2 predictions"):
        prepare(good.assign(fold=["1", ""]))
    with pytest.raises(TableError, match=r"fold='mean' is the name of a summary"):
        prepare(good.assign(fold=["1", "mean"]))
    with pytest.raises(TableError, match=r"column 'p:a' is not a finite number for clip '1.wav'"):
        metrics_table(good.assign(**{"p:a": [0.5, np.nan]}))
    with pytest.raises(TableError, match=r"column 'p:a' is empty in row 3; expected a score per class"):
        prepare(good.assign(**{"p:a": [0.5, np.nan]}))
    with pytest.raises(TableError, match=r"column 'p:b' is not a finite number in row 2"):
        prepare(good.assign(**{"p:b": [np.inf, 0.5]}))
    twice = pd.concat([good, good.assign(encoding="other", fold=["1", "1"])])
    with pytest.raises(TableError, match=r"clip '1.wav' has one fold in row 3 and another in row 5"):
        prepare(twice)
    with pytest.raises(TableError, match=r"no rows"):
        prepare(good.iloc[:0])
