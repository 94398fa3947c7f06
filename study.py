"""One ablation, from sounds to a report: corpus -> encodings -> merges -> modules x folds -> report.

Each stage is a function below, in the order in which the data flow. A stage finds in the store what was made
before, so a study that was stopped goes on where it was, and one that is finished is only read again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
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
from harness.errors import SettingsError, did_you_mean
from harness.run_lock import run_lock

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


# ---------------------------------------------------------------- plan


@dataclass(frozen=True)
class Plan:
    """All that is known of a study before the first image is drawn, checked as far as it can be."""

    started: float
    file: Path
    study: harness.Study
    store: harness.Store
    corpus: corpora.LoadedCorpus
    encodings: dict[str, converter.Encoding]
    merges: dict[str, merger.MergeMethod]
    settings: trainer.HeadSettings
    combinations: list[trainer.Combination]
    fusions: list[trainer.Fusion]
    augment: converter.AugmentSettings | None
    wait_for_drawing: Callable[[], None]

    @property
    def clips(self) -> pd.DataFrame:
        """The clips table."""
        return self.corpus.clips


def make_plan(
    path: Path, overrides: Sequence[str], store: harness.Store, *, exits: ExitStack | None = None, jobs: int = 1
) -> Plan:
    """Read a study and find out now what would otherwise fail later: modules, folds, groups, names.

    With an empty store, `jobs` worker processes begin to draw; they are ended where `exits` is left by an error.
    With a store that is not written to, nothing is written: the demo is not made either.
    """
    given, modules = harness.read_study(path, overrides)
    head = trainer.head_settings(given.train, harness.name_in("train", path, overrides))
    name_of = harness.name_in("convert", path, overrides)
    ready = corpora.given_encodings(given.corpus.name, convert=given.convert, image_files=given.image_files)
    read = converter.encodings_from_study
    encodings = {} if ready else read(given.convert, name_of=name_of, other_keys=["keep_images", "augment"])
    augment = read_augment(given, encodings, path, overrides)
    merges = merger.methods_from_study(given.merge, [*ready, *encodings])
    started = time.monotonic()
    with harness.in_words_of(lambda name, value: f"[corpus] {name} = {json.dumps(value)}"):
        try:
            section = {name: value for name, value in given.corpus if name != "near_duplicates"}
            corpus = corpora.load_corpus(**section, store=str(store.local.root), make=store.writes)
        except SettingsError as error:
            raise SettingsError(f"[corpus] {error}") from None
        trainer.check_trainable(corpus.clips, shared=corpus.shared)
    names = [*ready, *encodings, *merges]
    beginning = drawing_ahead(given, corpus, encodings, store, jobs if exits else 1)
    wait = (exits or ExitStack()).enter_context(beginning)
    todo = trainer.combinations(names, modules, head, given.train.seeds, store=store)
    fusions = trainer.fusions_from_study(given.fuse, todo, names)
    known = {each.encoding for each in todo} | {each.name for each in fusions}
    if ready and trainer.SOUND in known:
        raise SettingsError(f"[train] modules: one takes sounds, but the corpus {given.corpus.name!r} has images")
    if augment and trainer.SOUND in known:
        raise SettingsError(
            f"{path}: [convert.augment]: a module takes the sound itself, which is not augmented; leave out one of them"
        )
    idle = [module.handle for module in modules if module not in {each.module for each in todo}]
    if idle:
        raise SettingsError(
            f"{name_of('encodings')}: none, so that module {idle[0]!r} has no images; name one at least"
        )
    name_of = harness.name_in("evaluate", path, overrides)
    folds = corpus.clips["fold"].tolist()
    trainer.check_repeatable(folds, given.evaluate.repeats, name=name_of("repeats"), todo=todo)
    baseline = given.evaluate.baseline
    if baseline and baseline not in known:
        raise SettingsError(f"{name_of('baseline')}={baseline!r}: no such encoding; {did_you_mean(baseline, known)}")
    return Plan(started, path, given, store, corpus, encodings, merges, head, todo, fusions, augment, wait)


def drawing_ahead(
    given: harness.Study,
    corpus: corpora.LoadedCorpus,
    encodings: dict[str, converter.Encoding],
    store: harness.Store,
    jobs: int,
) -> AbstractContextManager[Callable[[], None]]:
    """While modules load, which takes one core some seconds, begin to draw what will be needed: with an empty store.

    With each sound once in memory, its fingerprint is taken too, and what the report lets one hear of it.
    """
    if store.url or (store.root / "images").is_dir() or corpora.is_images(given.corpus.name):
        return nullcontext(lambda: None)
    also = [partial(evaluator.excerpts_of_all, store=store)]
    if given.corpus.near_duplicates:
        also.append(partial(corpora.fingerprinting, store=store))
    drawn = encodings if given.image_files else {}
    return converter.drawn_ahead(corpus.clips, drawn, store=store, jobs=jobs, also=also)


def read_augment(
    given: harness.Study, encodings: dict[str, converter.Encoding], path: Path, overrides: Sequence[str]
) -> converter.AugmentSettings | None:
    """``[convert.augment]``, where the study has it."""
    if given.augment is None:
        return None
    if corpora.is_images(given.corpus.name):
        raise SettingsError(f"{path}: [convert.augment]: the corpus {given.corpus.name!r} has images, not sounds")
    if not given.image_files:
        raise SettingsError(
            f"{path}: [convert.augment]: augmented sounds are drawn to files; leave it out, or [convert] keep_images = "
            "false"
        )
    name_of = harness.name_in("convert.augment", path, overrides)
    return converter.augment_from_study(given.augment, encodings, name_of=name_of)


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


def image_modules(plan: Plan) -> list[harness.ModuleSpec]:
    """The modules whose features of images are computed."""
    return list(dict.fromkeys(c.module for c in plan.combinations if trainer.takes_features(c)))


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


def describe_plan(plan: Plan, out: Path) -> list[str]:
    """The plan in words, with what the store already has."""
    n_clips = len(plan.clips)
    lines = [
        f"study   {plan.file}",
        f"out     {out}",
        f"store   {plan.store.root}",
        f"corpus  {corpus_line(plan)}",
        *(f"        {line}" for line in [*plan.corpus.notes, *plan.corpus.copies]),
    ]
    n_missing = len(corpora.missing_files(plan.clips))
    if n_missing:
        made = ", and will be made" if plan.study.corpus.name == "demo" else ""
        lines.append(f"        of their sounds {n_missing} {'is' if n_missing == 1 else 'are'} not there{made}")
    features = trainer.cached_features(plan.combinations, out / "images", plan.clips, store=plan.store)
    if plan.study.image_files:
        drawn = converter.count_cached(plan.clips, plan.encodings, store=plan.store, augment=plan.augment)
        lines += [f"draw    {name}: {found} of {n_clips} images cached" for name, found in drawn.items()]
    else:
        drawn, computed = count_in_memory(plan, out)
        lines += [f"draw    {name}: {drawn.get(name, 0)} of {n_clips} images known" for name in plan.encodings]
        features |= {place: (found, n_clips) for place, found in computed.items()}
    for name, method in plan.merges.items():
        lines.append(f"merge   {name}: {method.name} of {', '.join(method.partners)}")
    images_known = not plan.study.image_files or (out / "images" / "images.csv").is_file()
    for (encoding, module), (found, known) in features.items():
        cached = f"{found} of {known} feature vectors cached"
        if not images_known and encoding != trainer.SOUND:
            cached = "which feature vectors are cached is known when its images are there"
        lines.append(f"train   {encoding} through {module}: {cached}")
    lines += [f"fuse    {fusion.words()}" for fusion in plan.fusions]
    lines += [f"train   {line}" for line in trainer.describe_networks(plan.combinations)]
    n_fused = len(plan.fusions) * len(plan.study.train.seeds)
    n_combinations = count(len(plan.combinations) + n_fused, "combination")
    lines.append(f"heads   {plan.settings.head}, seeds {plan.study.train.seeds}: {n_combinations}")
    repeats = plan.study.evaluate.repeats
    lines += [f"repeats {count(repeats, 'other grouping')} of the clips into folds"] if repeats else []
    return lines


def count_in_memory(plan: Plan, out: Path) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Of images without files, how many need not be drawn, by name, and how many feature vectors there are."""
    folder = out / "images"
    drawing = converter.plan_drawing(plan.clips, plan.encodings, folder, store=plan.store, dry_run=True)
    clips = merger.plan_merges(drawing.clips, plan.merges, folder)
    return trainer.count_drawn(clips, image_modules(plan), store=plan.store)


def corpus_line(plan: Plan) -> str:
    """The corpus in one line: clips, classes, folds or parts of a single split, groups."""
    counts = [
        f"{plan.clips.loc[plan.clips[column] != '', column].nunique()} {name}"
        for name, column in (("classes", "label"), ("folds", "fold"), ("groups", "group"))
    ]
    if not harness.groups_known(plan.clips["group"]):
        counts[2] = "no groups"
    counts[1] = harness.split_words(plan.clips["fold"]) or counts[1]
    return f"{plan.study.corpus.name}: {', '.join([f'{len(plan.clips)} clips', *counts])}"


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
