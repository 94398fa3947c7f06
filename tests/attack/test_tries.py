"""Damaged files by the hundred, and by the ten thousand: right or refused in one line."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from attack.disturbances import disturb
from attack.support import Base
from attack.tries import KINDS, OUTCOMES, make_subjects, run_tries, summary

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no timers of this kind")


@pytest.mark.parametrize(("seed", "tries"), [(1, 300), pytest.param(2, 10_000, marks=pytest.mark.long)])
def test_damaged_files_are_right_or_refused(tmp_path: Path, seed: int, tries: int) -> None:
    done = list(run_tries(make_subjects(tmp_path), seed=seed, tries=tries))
    bad = [each for each in done if each[2] in OUTCOMES[2:]]
    assert bad == [], summary(Counter((kind, outcome) for kind, _, outcome, _ in done))
    assert {kind for kind, *_ in done} == set(KINDS)
    assert {outcome for *_, outcome, _ in done} == {"right", "refused"}


@pytest.mark.long
def test_disturbed_studies_are_right_or_refused(base: Base, tmp_path: Path) -> None:
    done = list(disturb(base, tmp_path, seed=2, tries=20))
    assert [each for each in done if each[2] in OUTCOMES[2:]] == []
