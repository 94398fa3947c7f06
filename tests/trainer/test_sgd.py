"""The head by plain gradient descent: the update itself, the draw, seeds, resuming."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DivergedError, SettingsError, SplitError
from trainer.sgd import BalancedRows, SgdSettings, SgdState, Step, cross_entropy, descend, first_head, fit


def blobs(per_class: tuple[int, ...], n_features: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around one centre a class, in class order."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(per_class)), per_class)
    centres = 3 * rng.standard_normal((len(per_class), n_features))
    return (centres[targets] + rng.standard_normal((len(targets), n_features))).astype(np.float32), targets


def test_learns_what_can_be_learnt() -> None:
    features, targets = blobs((20, 5, 40))
    head = fit(features, targets, 3, settings=SgdSettings(steps=400))
    assert (head.scores(features).argmax(axis=1) == targets).mean() == 1.0
    assert head.weights.dtype == head.bias.dtype == np.float32


def test_first_weights_are_truncated_normal_and_small() -> None:
    head = first_head(1280, 10, seed=3)
    assert np.abs(head.weights).max() <= 0.002
    assert head.weights.std() == pytest.approx(0.00088, rel=0.02)  # a normal cut at two deviations has 0.88 of its own
    assert not head.bias.any()


def test_one_step_is_the_gradient_of_the_mean_cross_entropy() -> None:
    features, targets = blobs((6, 6))
    seen: list[Step] = []
    settings = SgdSettings(steps=1, learning_rate=0.5, train_batch_size=7)
    head = fit(features, targets, 2, settings=settings, seed=1, on_step=seen.append)
    first = first_head(24, 2, seed=1)
    batch, wanted = seen[0].features.astype(np.float64), seen[0].targets

    def loss(weights: np.ndarray) -> float:
        logits = batch @ weights + first.bias
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return cross_entropy(scores, wanted)

    nudge = np.zeros((24, 2))
    nudge[5, 1] = 1e-5
    slope = (loss(first.weights + nudge) - loss(first.weights - nudge)) / 2e-5
    assert float(first.weights[5, 1] - head.weights[5, 1]) == pytest.approx(0.5 * slope, rel=1e-2)


def test_same_rows_same_head_bit_for_bit_and_another_seed_another() -> None:
    features, targets = blobs((9, 12, 4))
    settings = SgdSettings(steps=130)
    first = fit(features, targets, 3, settings=settings, seed=5)
    again = fit(features.copy(), targets.copy(), 3, settings=settings, seed=5)
    other = fit(features, targets, 3, settings=settings, seed=6)
    assert first.weights.tobytes() == again.weights.tobytes() and first.bias.tobytes() == again.bias.tobytes()
    assert first.weights.tobytes() != other.weights.tobytes()


@pytest.mark.parametrize("stopped_at", [1, 63, 64, 100])
def test_a_stopped_training_ends_with_the_same_head(stopped_at: int) -> None:
    features, targets = blobs((9, 12, 4))
    whole = fit(features, targets, 3, settings=SgdSettings(steps=150), seed=5)
    half = fit(features, targets, 3, settings=SgdSettings(steps=stopped_at), seed=5)
    rest = fit(features, targets, 3, settings=SgdSettings(steps=150), seed=5, start=SgdState(stopped_at, half))
    assert whole.weights.tobytes() == rest.weights.tobytes() and whole.bias.tobytes() == rest.bias.tobytes()


def test_classes_are_drawn_evenly_whatever_their_size() -> None:
    targets = np.repeat([0, 1, 3], [2, 200, 20])  # class 2 has no rows
    rows = BalancedRows(targets)(30_000, np.random.default_rng(0))
    share = np.bincount(targets[rows], minlength=5) / len(rows)
    assert share[[0, 1, 3]] == pytest.approx(1 / 3, abs=0.02)
    assert share[2] == share[4] == 0
    assert set(rows[targets[rows] == 0]) == {0, 1}


def test_a_class_without_rows_gets_no_score() -> None:
    features, targets = blobs((10, 10))
    head = fit(features, 2 * targets, 3, settings=SgdSettings(steps=200))
    assert head.scores(features)[:, 1].max() < 0.5
    assert set(head.scores(features).argmax(axis=1)) == {0, 2}


def test_batches_may_come_from_a_function() -> None:
    features, targets = blobs((8, 8))
    settings = SgdSettings(steps=20)
    numbers: list[int] = []

    def read(rows: np.ndarray, number: int) -> np.ndarray:
        numbers.append(number)
        return features[rows]

    made = descend(read, targets, 2, 24, settings=settings, seed=2)
    assert made.weights.tobytes() == fit(features, targets, 2, settings=settings, seed=2).weights.tobytes()
    assert numbers == list(range(20))


def test_wrong_settings_are_named() -> None:
    with pytest.raises(SettingsError, match=r"learning_rate=0.*above 0"):
        SgdSettings(learning_rate=0)
    with pytest.raises(SettingsError, match="train_batch_size=0"):
        SgdSettings(train_batch_size=0)
    with pytest.raises(SettingsError, match="steps=-1"):
        SgdSettings(steps=-1)
    with pytest.raises(SplitError, match="no rows"):
        fit(np.zeros((0, 4), np.float32), np.zeros(0, int), 2)
    with pytest.raises(SettingsError, match="expected"):
        fit(np.zeros((3, 4), np.float32), np.zeros(2, int), 2)


@pytest.mark.parametrize(
    ("rate", "scale", "found"),
    [
        (1e38, 1.0, "weights are not finite"),
        (1e300, 1.0, "weights are not finite"),
        (1e6, 0.01, "the cross entropy is"),
    ],
)
def test_a_training_that_diverges_is_an_error(rate: float, scale: float, found: str) -> None:
    features, targets = blobs((20, 20, 20))
    features = scale * features
    features[::2] = -features[::2]  # so that no line parts the classes
    with pytest.raises(DivergedError, match=rf"^training has diverged by step \d+: {found}.* give a smaller one$"):
        fit(features, targets, 3, settings=SgdSettings(steps=150, learning_rate=rate))
    fit(features, targets, 3, settings=SgdSettings(steps=150, learning_rate=0.1))


def test_a_training_that_goes_on_from_weights_that_are_not_finite_is_an_error() -> None:
    features, targets = blobs((6, 6))
    head = first_head(24, 2, seed=0)
    head.weights[3, 1] = np.nan
    with pytest.raises(DivergedError, match="weights are not finite"):
        fit(features, targets, 2, settings=SgdSettings(steps=8), start=SgdState(5, head))
