"""One ablation, from sounds to a report: corpus -> encodings -> merges -> modules x folds -> report.

Each stage is a function below, in the order in which the data flow. A stage finds in the store what was made
before, so a study that was stopped goes on where it was, and one that is finished is only read again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import converter
import corpora
import evaluator
import harness
import labeler
import merger
import trainer
from harness.cli import (
    NoGpu,
    NoMixedPrecision,
    SchedulerOption,
    command_app,
    count,
    main,
    note,
    print_again,
    recorded_lines,
    say,
    warn,
)
from harness.run_lock import run_lock
from studies.plan import Plan, corpus_line, describe_plan, image_modules, make_plan

if TYPE_CHECKING:  # half a second, for annotations alone
    import pandas as pd

    from trainer.networks.curves import OnEpoch

app = command_app(name="study", help="Run a whole ablation: which encoding, which module, how well, is it real?")
app.info.no_args_is_help = False


def study(
    file: str | Path,
    *,
    out: str | Path | None = None,
    settings: Sequence[str] = (),
    jobs: int = -1,
    scheduler: str = "",
    store: str | Path | None = None,
    strict: bool = False,
    on_epoch: OnEpoch | None = None,
) -> StudyRun:
    """Run a study; what an earlier run has made is taken from the store.

    Parameters
    ----------
    file : path
        The TOML file of the study.
    out : path, optional
        Folder of the run. Default: ``runs/<name of the study>``.
    settings : sequence of str
        ``section.key=value``, laid over the file.
    jobs : int
        Processes that draw; -1: one for each core.
    scheduler : str
        A Dask cluster to work on: ``tcp://host:8786``, or ``local:4`` for four processes on this machine.
    store : path, optional
        Folder of the store. Default: the user's cache folder.
    strict : bool
        Stop at the first clip that cannot be read.
    on_epoch : callable, optional
        Is called with every epoch of a network, a :class:`trainer.Epoch`.

    Returns
    -------
    StudyRun

    Raises
    ------
    SoundfoldError
        Anything that a person can fix, in one line.
    """
    path = Path(file)
    settings = [settings] if isinstance(settings, str) else settings
    own = harness.Store(store)
    with harness.remembered_code(own), ExitStack() as exits:
        plan = make_plan(path, settings, own, exits=exits, jobs=1 if scheduler or strict else jobs)
        with harness.connected(scheduler):
            return run_study(
                plan, Path(out) if out else Path("runs") / path.stem, jobs=jobs, strict=strict, on_epoch=on_epoch
            )


@dataclass(frozen=True)
class StudyRun:
    """A finished study.

    Parameters
    ----------
    folder : Path
        Where its tables, its report and its model lie.
    evaluation : Evaluation
        All tables and figures.
    failures : DataFrame
        Clips that could not be used, as ``failures.csv``.
    """

    folder: Path
    evaluation: evaluator.Evaluation
    failures: pd.DataFrame

    @property
    def ranking(self) -> pd.DataFrame:
        """Combinations by mean accuracy over folds (in [0, 1]), best first."""
        return self.evaluation.ranking

    @property
    def predictions(self) -> pd.DataFrame:
        """Every clip scored by the heads that did not see its fold, as ``predictions.csv``."""
        return self.evaluation.predictions

    @property
    def verdict(self) -> tuple[str, ...]:
        """The outcome in words, the most important sentence first."""
        return self.evaluation.verdict

    @cached_property
    def model(self) -> labeler.Model:
        """The best combination, refitted on all folds and loaded: ``run.model.label("new.wav")``."""
        return labeler.load_model(self.folder / "model")

    def __str__(self) -> str:
        return str(self.evaluation)


def run_study(
    plan: Plan,
    out: Path,
    *,
    jobs: int = 1,
    strict: bool = False,
    on_epoch: OnEpoch | None = None,
    finished: harness.FinishedRun | None = None,
) -> StudyRun:
    """Run every stage, with the lock of the folder; where nothing has failed, `finished` remembers what is printed."""
    with run_lock(out) as interrupted, recorded_lines() as lines, harness.written_files() as written:
        if interrupted:
            harness.remove_leftovers(plan.store)
        check_outputs(out)
        plan.wait_for_drawing()
        run = run_stages(plan, out, jobs=jobs, strict=strict, on_epoch=on_epoch)
        if finished and run.failures.empty and not any(isinstance(text, harness.Removal) for _, text in lines):
            finished.remember([*lines, *(("say", line) for line in outcome_lines(run))], written=written)
        return run


def run_stages(plan: Plan, out: Path, *, jobs: int, strict: bool, on_epoch: OnEpoch | None) -> StudyRun:
    """Run every stage, one after the other."""
    copies = duplicate_sounds(plan, out, jobs=jobs)
    missing = write_clips(plan, out)
    note(f"corpus    {corpus_line(plan)}")
    for line in plan.corpus.notes:
        note(f"          {line}")
    absent = trainer.check_trainable(plan.clips, shared=plan.corpus.shared, head=plan.settings.head)
    for line in [*copies, *absent]:
        warn(line)
    drawn = (draw if plan.study.image_files else draw_in_memory)(plan, out, jobs=jobs, strict=strict)
    for line in dict.fromkeys(drawn.warnings):
        warn(line)
    where = "" if plan.study.image_files else ", in memory"
    note(f"images    {len(drawn.images)} of {count(drawn.images['encoding'].nunique(), 'encoding')}{where}")
    with evaluator.plot_worker(out, jobs=jobs, imports=trainer.HEADS_IMPORT) as worker:
        outcome = train(plan, drawn, out, on_epoch, worker=worker)
        failures = harness.join_failures([missing, drawn.failures, outcome.failures])
        harness.write_failures(out, failures)
        say_trained(plan, drawn, outcome)
        repeat(plan, drawn, out)
        evaluation = evaluate(plan, drawn, outcome, out, jobs=jobs, worker=worker)
    return StudyRun(out, evaluation, failures)


# ---------------------------------------------------------------- stages


def check_outputs(out: Path) -> None:
    """Refuse to begin where a file of somebody's own is in the way of what will be written."""
    tables = [f"{name}.csv" for name in ("clips", "duplicates", "failures", "history", "predictions", "repeats")]
    written = [*tables, "heads/", "features/", "images/", "model/", "networks/"]
    harness.claim(out, [*written, *evaluator.OUTPUTS])
    evaluator.check_outputs(out)
    trainer.check_model_folder(out / "model")


def write_clips(plan: Plan, out: Path) -> pd.DataFrame:
    """``clips.csv``, and the corpus's settings and notes in ``run.json``; give the clips whose file is missing."""
    harness.tables.write(plan.clips, out / "clips.csv", harness.tables.CLIPS)
    given = plan.study.corpus
    inputs = {"study": harness.digest_file(plan.file)}
    if given.overlay:
        inputs["overlay"] = harness.digest_file(given.overlay)
    corpus = plan.corpus
    spec = {**given.to_json(), **corpus.shared.to_json(), **corpus.changes.to_json(), "notes": corpus.notes}
    harness.record_step(out, harness.CORPUS, spec=spec, inputs=inputs, seed=given.seed, started=plan.started)
    return corpora.missing_files(plan.clips)


def duplicate_sounds(plan: Plan, out: Path, *, jobs: int) -> list[str]:
    """``duplicates.csv``: clips in different folds with the same sound; give the notes on them."""
    near = plan.study.corpus.near_duplicates and not corpora.is_images(plan.study.corpus.name)
    found = corpora.find_duplicates(plan.clips, store=plan.store, jobs=jobs, near=near, across_folds=True)
    harness.write_duplicates(found, out)
    return corpora.duplicate_notes(found, groups_dropped=plan.study.corpus.shared_groups == "drop")


def draw(plan: Plan, out: Path, *, jobs: int, strict: bool) -> harness.ImageRun:
    """Draw all encodings and merges into ``OUT/images``."""
    folder = out / "images"
    store, images = plan.store, corpora.is_images(plan.study.corpus.name)
    drawn = corpora.given_images(plan.clips, folder, store=store) if images else harness.ImageRun.empty()
    if plan.encodings:
        drawn = converter.convert_clips(
            plan.clips,
            plan.encodings,
            folder,
            store=store,
            jobs=jobs,
            strict=strict,
            augment=plan.augment,
            copies=False,
        )  # `duplicate_sounds` names them
    if plan.merges:
        drawn += merger.merge_images(drawn.images, folder, plan.merges, folder, store=store, jobs=jobs, strict=strict)
    if plan.encodings or images:
        harness.copy_corpus_record(out, folder)
    return drawn


def draw_in_memory(plan: Plan, out: Path, *, jobs: int, strict: bool) -> harness.MemoryRun:
    """Draw all encodings and merges for the modules alone; the store gets the feature vectors, nothing gets images."""
    started = time.monotonic()
    if not plan.encodings:
        return harness.MemoryRun.of(harness.ImageRun.empty(), {}, computed=0)
    folder, store = out / "images", plan.store
    with run_lock(folder):
        drawing = converter.plan_drawing(plan.clips, plan.encodings, folder, store=store, jobs=jobs, strict=strict)
        clips = merger.plan_merges(drawing.clips, plan.merges, folder)
        done = trainer.draw_features(clips, image_modules(plan), store=store, jobs=jobs, strict=strict)
        drawn = done.images(clips)
        run = drawing.finish(folder, drawn, done.failures)
        if plan.merges:
            good = [clip for clip in clips if clip.clip_id not in done.failures]
            run += merger.finish_merges(good, plan.merges, folder, drawn, done.failed_merges, started=started)
        harness.copy_corpus_record(out, folder)
    return harness.MemoryRun.of(run, drawn, computed=done.computed)


def train(
    plan: Plan, drawn: harness.ImageRun, out: Path, on_epoch: OnEpoch | None, *, worker: harness.OwnWorker | None = None
) -> trainer.Outcome:
    """Cross-validate every combination into ``predictions.csv`` and ``heads/``."""
    inputs = {"clips.csv": harness.digest_file(out / "clips.csv")}
    tables = tables_of(plan, drawn, out)
    shared = plan.corpus.shared
    return trainer.train_all(
        tables,
        plan.combinations,
        plan.settings,
        out,
        store=plan.store,
        inputs=inputs,
        shared=shared,
        copies=harness.copies_across_folds(out, plan.clips, shared),
        fusions=plan.fusions,
        on_epoch=on_epoch,
        worker=worker,
    )


def say_trained(plan: Plan, drawn: harness.ImageRun, outcome: trainer.Outcome) -> None:
    """What has been trained, and on how many new feature vectors."""
    for line in trainer.lost_classes(plan.clips, outcome.predictions):
        warn(line)
    n_heads = sum(len(trained.heads) for trained in outcome.trained.values())
    n_new = count(outcome.computed + getattr(drawn, "computed", 0), "new feature vector")
    n_combinations = len({(c.encoding, c.module, c.head) for c in outcome.trained})
    note(f"heads     {n_heads} for {count(n_combinations, 'combination')}; {n_new}")
    for line in trainer.weight_lines(outcome.fusions, outcome.trained):
        note(f"fused     {line}")


def repeat(plan: Plan, drawn: harness.ImageRun, out: Path) -> None:
    """``repeats.csv``: every combination over other groupings of the clips into folds, where the study asks for it."""
    repeats = plan.study.evaluate.repeats
    tables = tables_of(plan, drawn, out)
    found = trainer.repeat_all(
        tables, plan.combinations, plan.settings, out, repeats=repeats, store=plan.store, shared=plan.corpus.shared,
        fusions=plan.fusions,
    )  # fmt: skip
    if repeats:
        note(f"repeats   {count(len(found), 'head')} over {count(repeats, 'other grouping')} of the clips into folds")


def tables_of(plan: Plan, drawn: harness.ImageRun, out: Path) -> dict[str, pd.DataFrame]:
    """What each encoding is trained on: its images, or for ``sound`` the clips themselves; paths absolute."""
    images = drawn.with_absolute_paths(out / "images")
    names = {each.encoding for each in plan.combinations}
    tables = {name: plan.clips if name == trainer.SOUND else images[images["encoding"] == name] for name in names}
    return {name: plan.corpus.changes.for_training(table) for name, table in tables.items()}


def evaluate(
    plan: Plan, drawn: harness.ImageRun, outcome: trainer.Outcome, out: Path, *, jobs: int, worker: harness.OwnWorker
) -> evaluator.Evaluation:
    """Every table and the report, and meanwhile ``OUT/model``."""
    asked = plan.study.evaluate
    return evaluator.evaluate(
        out,
        store=plan.store,
        baseline=asked.baseline,
        all_pairs=asked.all_pairs,
        jobs=jobs,
        on_figures=lambda found: refit_best(plan, drawn, outcome, found, out),
        worker=worker,
    )


def refit_best(
    plan: Plan,
    drawn: harness.ImageRun,
    outcome: trainer.Outcome,
    evaluation: evaluator.Evaluation,
    out: Path,
) -> None:
    """``OUT/model``: the best combination refitted on all clips, unless it is there already; of several seeds one."""
    named = evaluation.best._asdict()
    first, accuracies = evaluation.ranking.iloc[0], trainer.fold_accuracies(evaluation.folds, named)
    best = next(c for c in outcome.trained if named.items() <= c.named().items())
    trainer.write_final(
        outcome.tasks[best].table,
        best,
        outcome.trained[best],
        plan.settings,
        out / "model",
        recipe=drawn.recipes.recipe(best.encoding),
        n_combinations=len(evaluation.ranking),
        figure=accuracies,
        deviation=float(first["std"]) if len(accuracies) > 1 else None,
        n_seeds=int(first["seeds"]),
        store=plan.store,
        load=outcome.loaders.get(best.module),
        fused=trainer.fused_parts(outcome, best, drawn.recipes.recipe),
        shared=plan.corpus.shared,
        notes=plan.corpus.notes,
        caveats=evaluation.notes,
    )


# ---------------------------------------------------------------- the command


@app.command()
def command(
    file: Annotated[Path | None, typer.Argument(metavar="[STUDY.toml]", help="Default: the demo study.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. Default: runs/<name of the study>.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="section.key=value; again for more.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that draw; -1: one for each core.")] = -1,
    scheduler: SchedulerOption = "",
    store: Annotated[str, typer.Option(help="Folder of the store; default: the user's cache folder.")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be read.")] = False,
    no_gpu: NoGpu = False,
    no_mixed_precision: NoMixedPrecision = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and what is cached; do nothing.")] = False,
) -> None:
    """Run a whole ablation: which encoding, which module, how well, is it real?"""
    path = file or Path(str(files("studies") / "demo.toml"))  # travels in the wheel
    folder = out or Path("runs") / path.stem
    own = harness.Store(store or None, writes=not dry_run)
    with harness.remembered_code(own, write=not dry_run), ExitStack() as exits:
        alone = bool(scheduler) or strict or dry_run
        plan = make_plan(path, settings or [], own, exits=exits, jobs=1 if alone else jobs)
        if dry_run:
            for line in describe_plan(plan, folder):
                say(line)
            return
        finished = None if scheduler else finished_run(plan, folder)
        known = finished and finished.said()
        if known:
            note(f"unchanged since {known[0]}: 0 new images, 0 new feature vectors, 0 new heads")
            print_again(known[1])
            return
        with harness.connected(scheduler, name="--scheduler"):
            run = run_study(plan, folder, jobs=jobs, strict=strict, finished=finished)
    for line in outcome_lines(run):
        say(line)
    n_failed = run.failures["clip_id"].nunique()
    if n_failed:
        warn(f"{count(n_failed, 'clip')} failed; {folder / 'failures.csv'} says which and why")
        raise typer.Exit(1)


def outcome_lines(run: StudyRun) -> list[str]:
    """The outcome, and where the report and the model are."""
    best = f"the best of {len(run.evaluation.ranking)}, refitted on all clips"
    notes = [f"Note: {warning}" for warning in run.evaluation.warnings]
    return [
        f"\n{run}",
        *notes,
        f"\nreport  {run.evaluation.report}",
        f"model   {run.folder / 'model'}  ({best})",
    ]


def finished_run(plan: Plan, out: Path) -> harness.FinishedRun:
    """What is known of this study in this folder, so that with nothing changed no stage is gone through again."""
    corpus, given = plan.corpus, plan.study.corpus
    made_of = {
        "study": plan.study.to_json(),
        "encodings": {name: each.to_json() for name, each in plan.encodings.items()},
        "merges": {name: each.to_json() for name, each in plan.merges.items()},
        "augment": plan.augment and plan.augment.to_json(),
        "rows": [c.named() for c in plan.combinations] + [fusion.words() for fusion in plan.fusions],
        "modules": trainer.module_keys(plan.combinations, store=plan.store),
        "clips": plan.clips.to_dict("list"),
        "corpus": [corpus.shared.to_json(), corpus.changes.to_json(), corpus.notes],
    }
    tables = [given.overlay] if given.overlay else []
    return harness.FinishedRun(out, store=plan.store, made_of=made_of, reads=[plan.file, *tables, *plan.clips["path"]])


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
