"""Balanced training sets."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from harness.balance import Balance, balanced_rows, balanced_split
from harness.protocol import splits

LABELS = ["owl"] * 12 + ["tit"] * 5 + ["crow"] * 7
ROWS = np.arange(len(LABELS))


def counts(rows: np.ndarray) -> Counter[str]:
    return Counter(LABELS[row] for row in rows)


@pytest.mark.parametrize(("how", "each"), [("down", 5), ("up", 12)])
def test_classes_are_equal_and_seeded(how: Balance, each: int) -> None:
    rows = balanced_rows(ROWS, LABELS, how, seed=0)
    assert counts(rows) == dict.fromkeys(("owl", "tit", "crow"), each)
    assert rows.tolist() == sorted(rows.tolist())
    assert rows.tolist() == balanced_rows(ROWS, LABELS, how, seed=0).tolist()
    assert rows.tolist() != balanced_rows(ROWS, LABELS, how, seed=1).tolist()


def test_down_takes_each_row_once_and_up_takes_every_row() -> None:
    assert max(Counter(balanced_rows(ROWS, LABELS, "down", seed=0).tolist()).values()) == 1
    up = Counter(balanced_rows(ROWS, LABELS, "up", seed=0).tolist())
    assert set(up) == set(ROWS.tolist())
    assert {up[row] for row in range(12, 17)} <= {2, 3}, "5 rows of tit make 12"


def test_only_training_rows_are_balanced() -> None:
    folds = [str(i % 4) for i in range(len(LABELS))]
    for split in splits(folds, [""] * len(LABELS), LABELS):
        for how in ("down", "up"):
            found = balanced_split(split, LABELS, how, seed=0)
            assert len(set(counts(found.train).values())) == 1
            assert len(set(counts(found.refit).values())) == 1
            assert set(found.train) <= set(split.train)
            assert set(found.refit) <= set(split.refit)
            assert found.test.tolist() == split.test.tolist()
            assert found.validation.tolist() == split.validation.tolist()
        assert balanced_split(split, LABELS, "none", seed=0) is split
