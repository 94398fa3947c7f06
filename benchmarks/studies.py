"""What benchmarks of whole studies share: a study run and watched, its stages, and the usual way on a part, scaled."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.heads import STRENGTHS
from benchmarks.results import ROOT
from benchmarks.tables import Cell, Table, ratio
from benchmarks.usual import one_fit, per_item, usual_image
from benchmarks.watched import Watched, watch
from harness.errors import SoundfoldError
from harness.hub import load, parse
from harness.hub.preprocess import read_image
from harness.record import read_steps
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.inputs import read_encoding

__all__ = ["Taken", "UsualWay", "go_through_again", "run_study", "stage_table", "usual_way"]

_FIRST, _LAST = "modules, duplicates, drawing, merging", "evaluation, report, model"
DRAWN = 4  # of the encodings of a study are drawn; the others are merged from them


@dataclass(frozen=True)
class Taken:
    """What a run of a study took.

    Parameters
    ----------
    watched : Watched
    stages : dict of str to float
        Seconds by stage.
    counts : dict of str to int
        New images (drawn or merged), feature vectors and files of heads.
    """

    watched: Watched
    stages: dict[str, float]
    counts: dict[str, int]


def run_study(file: Path, run: Path, store: Path, settings: Mapping[str, str], *, echo: bool = True) -> Taken:
    """Run ``study.py`` in a process of its own.

    Parameters
    ----------
    file, run, store : Path
        The study, the folder of the run, the folder of the store.
    settings : mapping of str to str
        Laid over the file: ``section.key`` to a TOML value.
    echo : bool
        Print its lines as they come.

    Raises
    ------
    SoundfoldError
        It failed.
    """
    words = [sys.executable, str(ROOT / "study.py"), str(file), "--out", str(run), "--store", str(store)]
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    before = _entries(store)
    watched = watch(words, echo=echo)
    if watched.code:
        raise SoundfoldError(f"the study ended with exit code {watched.code}: {watched.lines[-1][1]}")
    after = _entries(store)
    new = {kind: after[kind] - before[kind] for kind in after}
    vectors = next((m[1] for _, line in watched.lines if (m := re.search(r"(\d+) new feature vector", line))), "0")
    return Taken(watched, _stages(run, watched.seconds), {**new, "vectors": int(vectors)})


def go_through_again(file: Path, run: Path, store: Path, settings: Mapping[str, str]) -> Taken:
    """As :func:`run_study` of a finished study without its report, so that every stage looks for what it has made."""
    (run / "report.html").unlink()
    return run_study(file, run, store, settings)


def _entries(store: Path) -> dict[str, int]:
    """How many images and heads a store has."""
    return {
        kind: sum(name.endswith(suffix) for _, _, names in os.walk(store / kind) for name in names)
        for kind, suffix in (("images", ""), ("heads", ".npz"))
    }


def _stages(run: Path, seconds: float) -> dict[str, float]:
    """Seconds by stage; sounds are drawn while modules load, so that these are one."""
    steps = read_steps(run)
    given = {"features and heads": steps.get("train"), _LAST: steps.get("evaluate")}
    stages = {name: float(step["seconds"]) for name, step in given.items() if step}
    return {_FIRST: seconds - sum(stages.values()), **stages}


@dataclass(frozen=True)
class UsualWay:
    """Hours of the usual way for a whole study, each stage measured on a part and scaled.

    Parameters
    ----------
    seconds : dict of str to float
        By stage.
    note : str
        What was measured.
    """

    seconds: dict[str, float]
    note: str

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.seconds.values())


def usual_way(run: Path, store: Path, sounds: Sequence[Path], modules: Sequence[str], *, folds: int) -> UsualWay:
    """Images by librosa and matplotlib one by one, features image by image, a scikit-learn fit per fold and strength.

    Parameters
    ----------
    run, store : Path
        Of the finished study.
    sounds : sequence of Path
        All of its clips.
    modules : sequence of str
        Handles of image modules.
    folds : int
    """
    n = len(sounds)
    drawn = sounds[:: max(1, n // 12)]
    table = run / "images" / "images.csv"
    names = sorted(p.name for p in (run / "images").iterdir() if p.is_dir())
    seconds = {"draw": DRAWN * n * per_item(usual_image, drawn), "features": 0.0, "heads": 0.0}
    for handle in modules:
        module = load(parse(handle), store=Store(store))
        for encoding in names:
            files = [Path(p) for p in read_encoding(table, encoding)["path"]][:: max(1, n // 8)]
            seconds["features"] += n * per_item(lambda file, m=module: m(read_image(file, m.info)[None]), files)
        seconds["heads"] += len(names) * _fit_seconds(table, store, handle, folds) * (folds * (len(STRENGTHS) + 1))
    note = (
        f"The usual way is measured on a part and scaled: {len(drawn)} clips drawn, 8 images of each of {len(names)} "
        f"encodings and {len(modules)} modules, three fits for each module; merging, evaluation not counted."
    )
    return UsualWay(seconds, note)


def _fit_seconds(table: Path, store: Path, handle: str, folds: int) -> float:
    """Seconds of one scikit-learn fit on the training folds; of many rows scaled from an eighth."""
    rows = read_encoding(table, "logmel")
    part = rows.iloc[:: 8 if len(rows) > 2000 else 1]
    x = image_features([Path(p) for p in part["path"]], parse(handle), store=Store(store)).values
    some = (STRENGTHS[0], STRENGTHS[len(STRENGTHS) // 2], STRENGTHS[-1])
    return one_fit(x, part["label"], strengths=some) * len(rows) / len(part) * (folds - 1) / folds


def stage_table(title: str, first: Taken | None, second: Taken, usual: UsualWay | None, *, unchanged: Taken) -> Table:
    """Seconds by stage: from nothing, again, the usual way, and its ratio to ours from nothing.

    Parameters
    ----------
    title : str
    first : Taken or None
        From nothing.
    second : Taken
        Without the report, which is made again: every stage is gone through.
    usual : UsualWay or None
    unchanged : Taken
        With nothing changed.
    """
    theirs = usual.seconds if usual else {}
    of_usual: dict[str, float | None] = {
        _FIRST: theirs.get("draw"),
        "features and heads": theirs["features"] + theirs["heads"] if usual else None,
    }
    rows: list[list[Cell]] = []
    for name, again in second.stages.items():
        own = first.stages[name] if first else None
        rows.append([name, own, again, None, of_usual.get(name), ratio(of_usual.get(name), own)])
    runs = [taken and taken.watched for taken in (first, second, unchanged)]
    whole, total = first.watched.seconds if first else None, usual.total if usual else None
    rows.append(["in all", *(each and each.seconds for each in runs), total, ratio(total, whole)])
    rows.append(["seconds of processor", *(each and each.cpu_s for each in runs), None, None])
    rows.append(["MB at most", *(each and each.peak_mb for each in runs), None, None])
    columns = ["", "from nothing, s", "again, report gone, s", "again, nothing changed, s", "usual way, s", "ratio"]
    return Table(title, columns, rows, [usual.note] if usual else [])
