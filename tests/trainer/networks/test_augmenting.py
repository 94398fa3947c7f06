"""Images changed at random for training: what may change, and that a seed says all of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.hub.network_settings import NetworkSettings
from harness.hub.tensorflow import import_tensorflow
from trainer.networks.augmenting import augment

N, HEIGHT, WIDTH = 6, 20, 30


def changed(seed: int = 0, **given: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images before and after, and the targets after."""
    tf = import_tensorflow()
    images = np.random.default_rng(1).random((N, HEIGHT, WIDTH, 3)).astype(np.float32)
    targets = np.eye(N, dtype=np.float32)
    after = augment(tf.constant(images), tf.constant(targets), NetworkSettings(**given), tf.constant([seed, 7]))
    return images, after[0].numpy(), after[1].numpy()


def test_nothing_is_changed_unless_it_is_asked_for() -> None:
    before, after, targets = changed()
    assert (before == after).all()
    assert (targets == np.eye(N)).all()


@pytest.mark.parametrize("given", [{"spec_augment": 0.3}, {"time_shift": 0.5}, {"mixup": 0.4}])
def test_a_seed_says_all(given: dict[str, Any]) -> None:
    before, first, _ = changed(**given)
    assert (first == changed(**given)[1]).all()
    assert (first != before).any()
    assert (first != changed(seed=1, **given)[1]).any()


def test_a_shift_moves_whole_columns_round_the_end_by_at_most_its_share() -> None:
    before, after, _ = changed(time_shift=0.2)
    most = int(0.2 * WIDTH)
    for one, other in zip(before, after, strict=True):
        fits = [by for by in range(-most, most + 1) if (np.roll(one, by, axis=1) == other).all()]
        assert len(fits) == 1


def test_masks_are_stripes_no_wider_than_asked_for_in_the_mean_of_the_image() -> None:
    before, after, _ = changed(spec_augment=0.2)
    for one, other in zip(before, after, strict=True):
        hidden = (one != other).any(axis=2)
        rows, columns = hidden.all(axis=1), hidden.all(axis=0)
        assert (hidden == rows[:, None] | columns[None]).all()
        assert rows.sum() <= 2 * (0.2 * HEIGHT + 1)
        assert columns.sum() <= 2 * (0.2 * WIDTH + 1)
        assert hidden.any()


def test_mixtures_have_the_targets_of_both_in_the_same_proportion() -> None:
    before, after, targets = changed(mixup=1.0)
    assert targets.sum(axis=1) == pytest.approx(np.ones(N), abs=1e-5)
    assert after == pytest.approx(np.einsum("ij,jhwc->ihwc", targets, before), abs=1e-5)
    assert (targets.diagonal() >= 0.5 - 1e-6).all()
    assert (targets.max(axis=1) < 0.999).any()
