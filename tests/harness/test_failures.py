"""failures.csv: each step replaces its own rows; no failures, no file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from harness import tables
from harness.failures import update_failures, write_failures

NONE = tables.frame([], tables.FAILURES)


def failed(step: str, clip_id: str = "1") -> pd.DataFrame:
    return tables.frame([{"clip_id": clip_id, "path": "p", "step": step, "reason": "r"}], tables.FAILURES)


def steps(folder: Path) -> list[str]:
    return tables.read(folder / "failures.csv", tables.FAILURES)["step"].tolist()


def test_failures_of_other_steps_stay(tmp_path: Path) -> None:
    for step in ("convert", "merge", "convert"):
        update_failures(tmp_path, failed(step), step=step)
    assert steps(tmp_path) == ["merge", "convert"]
    update_failures(tmp_path, NONE, step="convert")
    assert steps(tmp_path) == ["merge"]
    update_failures(tmp_path, NONE, step="merge")
    assert not (tmp_path / "failures.csv").exists()
    update_failures(tmp_path, NONE, step="merge")


def test_a_step_has_the_rows_of_its_parts_but_not_of_a_step_that_begins_alike(tmp_path: Path) -> None:
    rows = [failed("train: gray"), failed("train"), failed("training")]
    write_failures(tmp_path, pd.concat(rows, ignore_index=True))
    update_failures(tmp_path, failed("train: wave"), step="train")
    assert steps(tmp_path) == ["training", "train: wave"]


def test_writing_replaces_all(tmp_path: Path) -> None:
    write_failures(tmp_path, failed("convert"))
    write_failures(tmp_path, failed("scan", "2"))
    assert steps(tmp_path) == ["scan"]
    write_failures(tmp_path, NONE)
    assert not (tmp_path / "failures.csv").exists()
