"""Scores over regroupings: what a table of them may hold."""

from __future__ import annotations

import pytest

from evaluator.combinations import Combination
from evaluator.training_scores import OverRepeats
from harness.errors import TableError
from harness.tables import REPEATS, frame

A, B = (Combination(e, "m", "lbfgs") for e in ("gray", "logmel"))


def repeats(**wrong: float) -> OverRepeats:
    """Two regroupings into two folds; the last row, line 9, as `wrong` has it."""
    rows = [
        {**c._asdict(), "seed": "0", "repeat": r, "fold": f, "accuracy": 0.5, "train": 30, "test": 10}
        for c in (A, B)
        for r in "12"
        for f in "12"
    ]
    rows[-1] |= wrong
    return OverRepeats(frame(rows, REPEATS))


def test_shares_from_0_to_1_are_taken() -> None:
    for accuracy in (0.0, 1.0):
        found = repeats(accuracy=accuracy).of_pair(A, B)
        assert found is not None
        assert list(found.b) == [0.5, 0.5, 0.5, accuracy]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"accuracy": 85.0}, "accuracy is 85; expected a share from 0 to 1, as 0.85 for 85 %"),
        ({"accuracy": -0.1}, "accuracy is -0.1; expected a share"),
        ({"accuracy": float("nan")}, "accuracy is empty; expected a share"),
        ({"train": 0}, "train is 0; expected a number of clips, more than 0"),
        ({"test": -3}, "test is -3; expected a number of clips, more than 0"),
        ({"test": float("inf")}, "test is inf; expected a number of clips"),
    ],
)
def test_what_is_out_of_range_is_named_with_its_line(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(TableError, match=rf"^line 9: {said}"):
        repeats(**wrong)
