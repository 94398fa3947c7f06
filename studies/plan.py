"""What is known of a study before its first image is drawn, checked as far as it can be, and said in words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import converter
import corpora
import evaluator
import harness
import merger
import trainer
from harness.cli import count
from harness.errors import SettingsError, did_you_mean

if TYPE_CHECKING:  # half a second, for annotations alone
    import pandas as pd

__all__ = ["Plan", "corpus_line", "describe_plan", "image_modules", "make_plan"]


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


def image_modules(plan: Plan) -> list[harness.ModuleSpec]:
    """The modules whose features of images are computed."""
    return list(dict.fromkeys(c.module for c in plan.combinations if trainer.takes_features(c)))


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
