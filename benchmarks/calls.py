"""Calls in recordings of ten minutes mixed from ESC-10: counts, F1 of events, false calls where there are none.

Each recording is mixed from the clips of one fold (see `mixing.py`) and labelled by the model of YAMNet's features that
never saw that fold. Its thresholds come from the recording of the next fold, labelled by that fold's model: nothing of
a recording decides about its own. Smoothing and gaps are the same for all. A detection is right where it begins within
1 s of a call and ends within 1 s (or half the call's length) of its end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.command import data_folder, main
from benchmarks.esc10_models import YAMNET, fold_models
from benchmarks.mixing import CALLS, EMPTY, Mixed, mix
from benchmarks.tables import Cell, Table
from harness.tables import CLIPS, read_located
from labeler.calibrating import choose_thresholds
from labeler.detecting import Detection, detect_table
from labeler.event_scores import Tolerance, event_figures
from labeler.loading import load_model
from labeler.scanning import Windows, scan_table

FOLDS = ["1", "2", "3", "4", "5"]
WINDOWS = Windows(2.0, 0.25)
DETECTION = Detection(hysteresis=0.5, gap_s=3.0, min_s=0.5, classes=CALLS)
TOLERANCE = Tolerance(onset_s=1.0, offset_s=1.0, offset_share=0.5)


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Mix, scan, choose thresholds, count."""
    folds = FOLDS[:2] if options.quick else FOLDS
    study, models = fold_models(options, folds, module=str(data_folder(options, YAMNET)))
    clips = read_located(study / "clips.csv", CLIPS)
    mixed = {fold: mixed_of(clips, fold, options.work / "calls") for fold in folds}
    scores = {fold: scan_table(load_model(models[fold]), mixed[fold].path, WINDOWS) for fold in folds}
    chosen = {fold: thresholds_of(scores[fold], mixed[fold]) for fold in folds}
    rows: list[list[Cell]] = []
    for k, fold in enumerate(folds):
        thresholds = chosen[folds[(k + 1) % len(folds)]]
        found = detect_table(scores[fold], DETECTION.replace(thresholds=thresholds))
        rows += rows_of(fold, found, mixed[fold], thresholds)
    columns = ["fold", "label", "threshold", "calls", "found", "precision", "recall", "F1", "false in empty stretches"]
    title = f"{len(folds)} recordings of ten minutes; in each 3 minutes of only {', '.join(EMPTY)}"
    yield Table(title, columns, [*rows, *pooled(rows)])


def mixed_of(clips: pd.DataFrame, fold: str, folder: Path) -> Mixed:
    """The recording of a fold."""
    of_fold = clips[clips["fold"] == fold]
    by_label = {str(label): [Path(p) for p in some["path"]] for label, some in of_fold.groupby("label")}
    folder.mkdir(parents=True, exist_ok=True)
    return mix(by_label, folder / f"fold{fold}.wav", seed=int(fold))


def thresholds_of(scores: pd.DataFrame, mixed: Mixed) -> dict[str, float]:
    """The thresholds that are best on a recording."""
    table = choose_thresholds(scores, mixed.truth, [str(mixed.path)], detection=DETECTION, tolerance=TOLERANCE)
    return dict(zip(table["label"], table["threshold"], strict=True))


def rows_of(fold: str, found: pd.DataFrame, mixed: Mixed, thresholds: dict[str, float]) -> list[list[Cell]]:
    """Figures of one recording by label."""
    figures = event_figures(found, mixed.truth, [str(mixed.path)], CALLS, TOLERANCE).set_index("label")
    rows: list[list[Cell]] = []
    for label in CALLS:
        row = figures.loc[label]
        starts = found.loc[found["label"] == label, "start_s"]
        false = sum(int(((starts >= a) & (starts < b)).sum()) for a, b, _ in mixed.empty)
        shares = [round(float(np.nan_to_num(row[name])), 3) for name in ("precision", "recall", "f1")]
        counts = [int(row["calls"]), int(row["detected"])]
        rows.append([f"fold {fold}", label, thresholds[label], *counts, *shares, false])
    return rows


def pooled(rows: list[list[Cell]]) -> list[list[Cell]]:
    """All recordings together, by label and for both labels."""
    found: list[list[Cell]] = []
    for label in (*CALLS, "both"):
        some = [row for row in rows if label in (row[1], "both")]
        calls, detected, false = (sum(int(row[k] or 0) for row in some) for k in (3, 4, 8))
        hits = sum(round(float(row[6] or 0) * int(row[3] or 0)) for row in some)
        shares = [hits / max(1, detected), hits / max(1, calls), 2 * hits / max(1, calls + detected)]
        found.append(["all", label, None, calls, detected, *(round(each, 3) for each in shares), false])
    return found


if __name__ == "__main__":
    main(run, __doc__)
