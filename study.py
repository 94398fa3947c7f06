"""One ablation, from sounds to a report: corpus -> encodings -> merges -> modules x folds -> report.

Each stage is a function below, in the order in which the data flow. A stage finds in the store what was made
before, so a study that was stopped goes on where it was, and one that is finished is only read again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import command_app, main, note, say, warn

if TYPE_CHECKING:
    import pandas as pd

    from harness.store import Store
    from harness.study_file import Study
    from trainer.crossvalidate import HeadSettings
    from trainer.running import Combination, Outcome

_COUNTED = (("classes", "label"), ("folds", "fold"), ("groups", "group"))

app = command_app(name="study", help="Run a whole ablation: which encoding, which module, how well, is it real?")
app.info.no_args_is_help = False


@app.command()
def study(
    file: Annotated[Path | None, typer.Argument(metavar="[STUDY.toml]", help="Default: the demo study.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. Default: runs/<name of the study>.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; again for more.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that draw; -1: one for each core.")] = -1,
    store: Annotated[str, typer.Option(help="Folder of the store; default: the user's cache folder.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be read.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and what is cached; do nothing.")] = False,
) -> None:
    """Run a whole ablation: which encoding, which module, how well, is it real?"""
    from harness.store import Store

    path = file or demo_study()
    folder = out or Path("runs") / path.stem
    plan = make_plan(path, settings or [], Store(store or None))
    if dry_run:
        for line in describe_plan(plan, folder):
            say(line)
        return
    failures = run_study(plan, folder, jobs=jobs, strict=strict)
    if failures:
        warn(f"{plural(failures, 'clip')} failed; {folder / 'failures.csv'} says which and why")
        raise typer.Exit(1)


def demo_study() -> Path:
    """The study that runs when none is named; it travels in the wheel."""
    from importlib.resources import files

    return Path(str(files("studies") / "demo.toml"))


@dataclass(frozen=True)
class Plan:
    """All that is known of a study before the first picture is drawn, checked as far as it can be."""

    started: float
    file: Path
    study: Study
    store: Store
    clips: pd.DataFrame
    specs: dict[str, Any]
    merges: dict[str, Any]
    settings: HeadSettings
    todo: list[Combination]


def make_plan(path: Path, overrides: list[str], store: Store) -> Plan:
    """Read a study and find out now what would otherwise fail later: modules, folds, groups, names."""
    import time

    import corpora
    from converter.registry import specs_from_study
    from harness.protocol import splits
    from harness.study_file import read_study
    from merger.registry import specs_from_study as merges_from_study
    from trainer.crossvalidate import HeadSettings, checked_classes
    from trainer.lbfgs import STRENGTHS
    from trainer.running import combinations
    from trainer.sgd import SgdSettings

    study, modules = read_study(path, overrides)
    told = study.train
    settings = HeadSettings(
        told.head,
        tuple(told.strengths) or STRENGTHS,
        SgdSettings(told.steps, told.learning_rate, told.train_batch_size),
        study.corpus.allow_shared_groups,
    )
    specs = specs_from_study(study.convert)
    merges = merges_from_study(study.merge, specs)
    started = time.monotonic()
    clips = corpora.load(**study.corpus.model_dump())
    checked_classes(clips)
    shared = study.corpus.allow_shared_groups
    list(splits(list(clips["fold"]), list(clips["group"]), list(clips["label"]), allow_shared=shared))
    todo = combinations([*specs, *merges], modules, settings, told.seeds, store=store)
    check_baseline(study.evaluate.baseline, todo)
    return Plan(started, path, study, store, clips, specs, merges, settings, todo)


def check_baseline(baseline: str, todo: list[Combination]) -> None:
    """Refuse a baseline that nothing could be held against."""
    from harness.errors import SettingsError, did_you_mean

    known = {c.encoding for c in todo}
    if baseline and baseline not in known:
        raise SettingsError(f"[evaluate] baseline={baseline!r}: no such encoding; {did_you_mean(baseline, known)}")


def run_study(plan: Plan, out: Path, *, jobs: int = 1, strict: bool = False) -> int:
    """Run every stage; print the ranking and where the report is; give the number of clips that failed."""
    write_clips(plan, out)
    note(f"corpus    {corpus_line(plan)}")
    failed = [missing_sounds(plan)]
    images, failures = draw(plan, out, jobs=jobs, strict=strict)
    failed += failures
    note(f"pictures  {len(images)} of {plural(images['encoding'].nunique(), 'encoding')}")
    outcome = train(plan, images, out)
    failed.append(outcome.failures)
    n_failed = write_failures(failed, out)
    n_heads = sum(len(trained.heads) for trained in outcome.trained.values())
    n_new = plural(outcome.computed, "new feature vector")
    note(f"heads     {n_heads} for {plural(len(outcome.trained), 'combination')}; {n_new}")
    summary = evaluate_run(plan, out)
    best = best_combination(outcome, out)
    refit_best(plan, images, outcome, best, out)
    for line in ("", summary.text.rstrip("\n"), "", *summary.verdict, *(f"Note: {w}" for w in summary.warnings), ""):
        say(line)
    say(f"report  {summary.report}")
    say(f"model   {out / 'model'}  (the best of {len(outcome.trained)}, refitted on all folds)")
    return n_failed


# ---------------------------------------------------------------- corpus


def write_clips(plan: Plan, out: Path) -> None:
    """``clips.csv``, and the corpus's settings in ``run.json``."""
    from harness.files import digest_file
    from harness.record import record_step
    from harness.tables import CLIPS, write

    write(plan.clips, out / CLIPS.name, CLIPS)
    told = plan.study.corpus
    inputs = {"study": digest_file(plan.file)}
    record_step(out, "corpus", spec=told.model_dump(), inputs=inputs, seed=told.seed, started=plan.started)


def missing_sounds(plan: Plan) -> pd.DataFrame:
    """Clips that the corpus names but that are not there."""
    import corpora
    from harness.tables import FAILURES, frame

    return frame(corpora.missing_files(plan.clips), FAILURES)


# ---------------------------------------------------------------- pictures


def draw(plan: Plan, out: Path, *, jobs: int, strict: bool) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Draw all encodings and merges into ``OUT/images``; give the rows of ``images.csv`` with absolute paths."""
    import pandas as pd

    from converter.pipeline import convert
    from harness.tables import IMAGES, frame
    from merger.pipeline import merge_all

    folder = out / "images"
    images, failures = frame([], IMAGES), []
    if plan.specs:
        images, failed = convert(plan.clips, plan.specs, folder, store=plan.store, jobs=jobs, strict=strict)
        failures.append(failed)
    if plan.merges:
        merged, failed = merge_all(images, folder, plan.merges, folder, store=plan.store, jobs=jobs, strict=strict)
        images = pd.concat([images, merged], ignore_index=True)
        failures.append(failed)
    return images.assign(path=[str(folder.resolve() / p) for p in images["path"]]), failures


# ---------------------------------------------------------------- heads


def train(plan: Plan, images: pd.DataFrame, out: Path) -> Outcome:
    """Cross-validate every combination into ``predictions.csv`` and ``heads/``."""
    from harness.files import digest_file
    from harness.tables import CLIPS
    from trainer.running import train_all

    inputs = {CLIPS.name: digest_file(out / CLIPS.name)}
    return train_all(tables_of(plan, images), plan.todo, plan.settings, out, store=plan.store, inputs=inputs)


def tables_of(plan: Plan, images: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What each encoding is trained on: its pictures, or for ``sound`` the clips themselves."""
    from trainer.running import SOUND

    named = {c.encoding for c in plan.todo}
    return {name: plan.clips if name == SOUND else images[images["encoding"] == name] for name in named}


def write_failures(parts: list[pd.DataFrame], out: Path) -> int:
    """``failures.csv``, each clip and step once; no file where nothing failed. Give the number of clips."""
    import pandas as pd

    from harness.tables import FAILURES, write

    failures = pd.concat(parts, ignore_index=True).drop_duplicates(["clip_id", "step"])
    if failures.empty:
        (out / FAILURES.name).unlink(missing_ok=True)
    else:
        write(failures, out / FAILURES.name, FAILURES)
    return int(failures["clip_id"].nunique())


# ---------------------------------------------------------------- what it is worth


def evaluate_run(plan: Plan, out: Path) -> Any:
    """``metrics.csv``, the tables and the report."""
    from evaluator import evaluate

    return evaluate(out, baseline=plan.study.evaluate.baseline)


def best_combination(outcome: Outcome, out: Path) -> Combination:
    """The first row of ``ranking.csv``; of several seeds the first."""
    import csv

    with open(out / "ranking.csv", encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    return next(c for c in outcome.trained if all(c.named()[k] == first[k] for k in ("encoding", "module", "head")))


def refit_best(plan: Plan, images: pd.DataFrame, outcome: Outcome, best: Combination, out: Path) -> None:
    """``OUT/model``: the best combination refitted on all folds, unless it is there already."""
    from trainer.final import write_final

    write_final(
        tables_of(plan, images)[best.encoding],
        best,
        outcome.trained[best],
        plan.settings,
        out / "model",
        images_folder=out / "images",
        n_combinations=len(outcome.trained),
        figure=folds_figure(outcome, best),
        store=plan.store,
    )


def folds_figure(outcome: Outcome, best: Combination) -> dict[str, float]:
    """Accuracy of each fold of one combination."""
    rows = outcome.predictions
    for column, value in best.named().items():
        rows = rows[rows[column] == value]
    right = (rows["predicted"] == rows["label"]).groupby(rows["fold"], sort=False).mean()
    return {str(fold): float(value) for fold, value in right.items()}


# ---------------------------------------------------------------- --dry-run


def describe_plan(plan: Plan, out: Path) -> list[str]:
    """The plan in words, with what the store already has."""
    from trainer.planning import cached_features

    clips = plan.clips
    lines = [
        f"study   {plan.file}",
        f"out     {out}",
        f"store   {plan.store.root}",
        f"corpus  {corpus_line(plan)}",
    ]
    for name, found in drawn_pictures(plan).items():
        lines.append(f"draw    {name}: {found} of {len(clips)} pictures cached")
    for name, merge in plan.merges.items():
        lines.append(f"merge   {name}: {merge.how} of {', '.join(merge.partners)}")
    features = cached_features(plan.todo, out / "images", clips, store=plan.store)
    for (encoding, module), (found, known) in features.items():
        lines.append(f"train   {encoding} through {module}: {found} of {known} feature vectors cached")
    lines.append(
        f"heads   {plan.settings.head}, seeds {plan.study.train.seeds}: {plural(len(plan.todo), 'combination')}"
    )
    return lines


def plural(n: int, what: str) -> str:
    """``1 fold``, ``2 folds``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def corpus_line(plan: Plan) -> str:
    """The corpus in one line: clips, classes, folds, groups."""
    clips = plan.clips
    counts = [(name, clips.loc[clips[column] != "", column].nunique()) for name, column in _COUNTED]
    return f"{plan.study.corpus.name}: {len(clips)} clips, " + ", ".join(f"{n} {name}" for name, n in counts)


def drawn_pictures(plan: Plan) -> dict[str, int]:
    """How many pictures of each encoding the store has."""
    from converter.pipeline import picture_key
    from harness import audio
    from harness.errors import AudioError
    from harness.images import KIND

    found = dict.fromkeys(plan.specs, 0)
    for row in plan.clips.itertuples():
        try:
            digest = audio.digest(row.path, start_s=row.start_s, end_s=row.end_s)
        except AudioError:  # named when it is drawn
            continue
        for name, spec in plan.specs.items():
            found[name] += plan.store.path(KIND, picture_key(digest, spec), ".png").is_file()
    return found


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
