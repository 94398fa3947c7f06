"""Classes that a training set lacks: named, and their heads bounded, converged and free of warnings."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from harness.errors import SplitError
from harness.protocol import Split, splits
from harness.tables import CLIPS, frame
from trainer import designs
from trainer.absent import absent_classes, absent_notes
from trainer.fitting import HeadSettings, fit_folds
from trainer.inputs import check_trainable
from trainer.sgd import SgdSettings

NAMES = ("ape", "bee", "cat", "dog")


def corpus(n: int, width: int, *, folds_with_dog: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, list[Split]]:
    """Features far from zero, classes 0 to 3 of which the last is in some folds alone, and five splits."""
    rng = np.random.default_rng(1)
    y, fold = np.arange(n) % 4, np.arange(n) * 5 // n
    x = (1000 + 50 * (rng.standard_normal((4, width))[y] + 3 * rng.standard_normal((n, width)))).astype(np.float32)
    y = np.where((y == 3) & ~np.isin(fold, folds_with_dog), 0, y)
    return x, y, list(splits([str(f) for f in fold], [""] * n, [NAMES[k] for k in y]))


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(("n", "width"), [(200, 30), (120, 160), (1300, 60)])
@pytest.mark.parametrize("folds_with_dog", [(0,), (1,), (0, 1)])
def test_heads_are_scikit_learns_whatever_class_a_training_set_lacks(
    folds_with_dog: tuple[int, ...], n: int, width: int, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class in the tested fold alone, in the validation fold alone, or in both."""
    monkeypatch.setattr(designs, "_SINGLE_ABOVE", 0 if single else 10**9)
    x, y, parts = corpus(n, width, folds_with_dog=folds_with_dog)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained = fit_folds(x, [NAMES[k] for k in y], parts, settings=HeadSettings(), seed=0)
    for split in parts:
        head, known = trained.heads[split.fold], np.unique(y[split.refit])
        assert np.abs(head.bias - head.bias.mean()).max() < 100
        mean, deviation = x[split.refit].mean(axis=0, dtype=float), x[split.refit].std(axis=0, dtype=float)
        reference = LogisticRegression(C=trained.chosen[split.fold], tol=1e-7, max_iter=10_000)
        reference.fit((x[split.refit] - mean) / deviation, y[split.refit])
        expected = np.zeros((len(split.test), 4))
        expected[:, known] = reference.predict_proba((x[split.test] - mean) / deviation)
        np.testing.assert_allclose(head.scores(x[split.test]), expected, atol=5e-3)


def test_a_training_set_of_one_class_gives_a_bounded_head() -> None:
    x, y, parts = corpus(100, 10, folds_with_dog=(0, 1))
    y = np.where(np.arange(100) < 40, y, 2)  # the first two folds alone have more than one class
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained = fit_folds(x, [NAMES[k] for k in y], parts, settings=HeadSettings(), seed=0)
    assert all(np.isfinite(head.weights).all() and np.ptp(head.bias) < 100 for head in trained.heads.values())


def test_sgd_gives_a_class_without_clips_a_low_score_and_no_warning() -> None:
    x, y, parts = corpus(200, 30, folds_with_dog=(0, 1))
    x = (x - 1000) / 200
    settings = HeadSettings(head="sgd", sgd=SgdSettings(steps=2000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        head = fit_folds(x, [NAMES[k] for k in y], parts, settings=settings, seed=0).heads["0"]
    assert np.abs(head.bias).max() < 10
    assert head.scores(x[parts[0].test])[:, 3].mean() < 0.1


def test_absent_classes_by_fold_and_head() -> None:
    _, y, parts = corpus(200, 2, folds_with_dog=(0, 1))
    labels = [NAMES[k] for k in y]
    assert absent_classes(labels, parts) == []
    (only,) = absent_classes(labels, parts, head="sgd")  # fold 1 is held out, and chooses nothing
    assert (only.fold, only.label, only.tested) == ("0", "dog", 10)
    labels = [NAMES[k] for k in corpus(200, 2, folds_with_dog=(3,))[1]]
    assert [(a.fold, a.label, a.tested) for a in absent_classes(labels, parts)] == [("3", "dog", 10)]
    assert [a.fold for a in absent_classes(labels, parts, head="sgd")] == ["2", "3"]
    (note,) = absent_notes(absent_classes(labels, parts))
    assert note == "No training clip of 'dog' where fold '3' is tested: its clips there (10) all count as errors."


def test_a_note_names_five_classes_at_most() -> None:
    labels = [f"c{k}" for k in range(8)] + ["x"] * 2
    parts = list(splits(["1"] * 8 + ["2", "3"], [""] * 10, labels))
    (note, *_) = absent_notes(absent_classes(labels, parts))
    assert "'c0', 'c1', 'c2', 'c3', 'c4' and 3 more classes where fold '1' is tested" in note


def clips(labels: str, folds: str) -> pd.DataFrame:
    rows = [
        {"clip_id": str(n), "path": f"{n}.wav", "label": label, "fold": fold}
        for n, (label, fold) in enumerate(zip(labels, folds, strict=True))
    ]
    return frame(rows, CLIPS)


@pytest.mark.parametrize(("labels", "folds"), [("aabbcc", "112233"), ("aabb", "1122"), ("abcd", "1234")])
def test_folds_that_mean_classes_are_refused(labels: str, folds: str) -> None:
    with pytest.raises(SplitError, match=r"\(the first: 'a' is in fold '1' alone\).* 0 %: do the folds mean classes\?"):
        check_trainable(clips(labels, folds))


def test_a_single_split_without_a_common_class_is_refused() -> None:
    table = clips("aabbcc", "112222").replace({"fold": {"1": "train", "2": "test"}})
    with pytest.raises(SplitError, match="every figure would be 0 %"):
        check_trainable(table)


def test_a_class_that_is_in_one_fold_only_is_named() -> None:
    assert check_trainable(clips("aabbabab", "12121212")) == []
    assert check_trainable(clips("aabbabcc", "12121233")) == [
        "No training clip of 'c' where fold '3' is tested: its clips there (2) all count as errors."
    ]
