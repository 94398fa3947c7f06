"""Train and test every combination of encoding, module and seed, and write the results.

::

    OUT/predictions.csv          every tested clip, scored by the head that did not see its fold
    OUT/heads/<combination>.npz  each fold's head, small, for `export`
    OUT/features/<...>.npz       where the clips lie by their feature vectors, for maps (`trainer.reduced`)
    OUT/failures.csv             clips that could not be read, where there are any
    OUT/run.json                 step "train"
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from harness import cluster
from harness.duplicates import copy_notes
from harness.figures import accuracy_by_fold, percent
from harness.files import digest_file
from harness.head import save_heads
from harness.hub import kinds
from harness.hub.base import HubModule
from harness.hub.handles import ModuleSpec
from harness.parallel import OwnWorker, in_parallel
from harness.reduced import FOLDER
from harness.shared_groups import OFFICIAL, SharedGroups
from harness.store import Store
from harness.store_care.runs import key_numbers, record_use
from harness.tables import FAILURES, HISTORY, PREDICTIONS, frame, write
from harness.threads import long_calls
from harness.written import claim, inside
from trainer.ablation import Combination, combination_name, heads_file
from trainer.augmented_rows import check_images_only
from trainer.bottlenecks import Features, saved_at_an_error
from trainer.crossvalidate import fold_sizes
from trainer.fitting import HeadSettings, Trained
from trainer.fused_rows import fused_rows
from trainer.fusions import Fusion, fused_record
from trainer.grid_ends import grid_end_notes
from trainer.head_tasks import HeadTask, features_of, fit_from_store
from trainer.inputs import check_trainable, describe_splits, image_specs, training_order
from trainer.logistic import takes_one_thread
from trainer.networks.curves import OnEpoch
from trainer.networks.folds import cross_validate_network
from trainer.networks.trained import NETWORKS, finish_networks
from trainer.pairs import FittedPair, Pair, Result
from trainer.reduced import remove_others
from trainer.run_record import STEP, read_heads, read_networks, read_reduced, record_training
from trainer.sources import ImageMemory
from trainer.vector_tasks import compute_on_cluster

__all__ = [
    "HEADS_IMPORT",
    "Outcome",
    "accuracy_lines",
    "train_all",
]

HEADS_IMPORT = ("trainer.fitting",)
"""What a worker process needs to fit heads."""

_Begun = deque[tuple[Future[FittedPair], Features]]


@dataclass
class Outcome:
    """What :func:`train_all` made.

    Parameters
    ----------
    predictions : DataFrame
        As ``predictions.csv``.
    failures : DataFrame
        As ``failures.csv``.
    trained : dict of Combination to Trained
    computed : int
        Feature vectors that the store did not have.
    notes : tuple of str
        What a reader of the figures must know of the folds, a sentence each.
    reduced : dict of str to str
        sha256 of each file of reduced features, by its name.
    used : list of ndarray of uint64
        What was used of the store, as :func:`harness.store_care.runs.key_numbers`.
    loaders : dict of ModuleSpec to callable
        Each gives its loaded module, and loads it where nothing has before.
    tasks : dict of Combination to HeadTask
        What the heads of each were fitted to.
    fusions : tuple of Fusion
        The rows that join others.
    networks : dict of str to str
        sha256 of each file of trained networks, by its name.
    history : list of dict
        Rows of ``history.csv``.
    """

    predictions: pd.DataFrame
    failures: pd.DataFrame
    trained: dict[Combination, Trained] = field(default_factory=dict)
    computed: int = 0
    notes: tuple[str, ...] = ()
    reduced: dict[str, str] = field(default_factory=dict)
    used: list[np.ndarray] = field(default_factory=list)
    loaders: dict[ModuleSpec, Callable[[], HubModule]] = field(default_factory=dict)
    tasks: dict[Combination, HeadTask] = field(default_factory=dict)
    fusions: tuple[Fusion, ...] = ()
    networks: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, object]] = field(default_factory=list)

    def accuracy(self, combination: Combination) -> float:
        """Mean over folds of the share of a combination's clips that are right, 0 to 1."""
        named = combination.named()
        rows = self.predictions[(self.predictions[list(named)] == list(named.values())).all(axis=1)]
        return statistics.fmean(accuracy_by_fold(rows).values())


def accuracy_lines(outcome: Outcome) -> list[str]:
    """Accuracy of every combination in words, the mean over folds; of several seeds each, then their mean."""
    lines = []
    of_seeds: dict[tuple[str, str], list[float]] = {}
    for c in outcome.trained:
        of_seeds.setdefault((c.encoding, c.module.row), []).append(outcome.accuracy(c))
        lines.append(f"{c.encoding}  {c.module.row}  seed {c.seed}  {percent(outcome.accuracy(c))} %")
    for (encoding, handle), values in of_seeds.items():
        if len(values) > 1:
            lines.append(f"{encoding}  {handle}  mean of {len(values)} seeds  {percent(statistics.fmean(values))} %")
    return lines


def train_all(
    tables: Mapping[str, pd.DataFrame],
    todo: Sequence[Combination],
    settings: HeadSettings,
    out: str | Path,
    *,
    store: Store,
    inputs: Mapping[str, str] | None = None,
    shared: SharedGroups = OFFICIAL,
    copies: Mapping[str, str] | None = None,
    fusions: Sequence[Fusion] = (),
    on_epoch: OnEpoch | None = None,
    worker: OwnWorker | None = None,
) -> Outcome:
    """Cross-validate every combination and write predictions, heads and run.json.

    Parameters
    ----------
    tables : mapping of encoding to DataFrame
        Rows of ``images.csv`` with absolute paths; under ``sound`` rows of ``clips.csv``. With a column
        ``training_label`` heads are fitted with that, see `harness.label_changes`.
    todo : sequence of Combination
    settings : HeadSettings
    out : path
    store : Store
    inputs : mapping, optional
        Digests of what the tables were read from, for run.json.
    shared : SharedGroups
        What is done about groups that span folds.
    copies : mapping of str to str, optional
        Clips whose sound another fold has too; see :func:`harness.duplicates.copies_across_folds`.
    fusions : sequence of Fusion
        Rows that join others.
    on_epoch : callable, optional
        Is called with every epoch of a network that is trained, a :class:`trainer.networks.curves.Epoch`.
    worker : OwnWorker, optional
        Fits heads that take one core, once it has imported `HEADS_IMPORT`; else a thread does.

    Raises
    ------
    SplitError
        A leak, too few folds, a clip without a label.
    """
    started = time.monotonic()
    out = Path(out)
    claim(out, [PREDICTIONS.name, HISTORY.name, "heads/", f"{NETWORKS}/", f"{FOLDER}/"])
    check_images_only([c.encoding for c in todo], tables)
    check_trainable(tables[todo[0].encoding], shared=shared, seed=todo[0].seed, head=settings.head)
    loaders: dict[ModuleSpec, Callable[[], HubModule]] = {
        c.module: cache(lambda m=c.module: kinds.load(m, store=store)) for c in todo
    }
    outcome = Outcome(frame([], PREDICTIONS), frame([], FAILURES), loaders=loaders, fusions=tuple(fusions))
    parts: dict[Combination, pd.DataFrame] = {}
    task = HeadTask({}, pd.DataFrame(), todo[0].module, settings, 0, store, shared, copies)
    failed: list[pd.DataFrame] = []
    fused = fused_rows(fusions, outcome.tasks, outcome.trained, failed, STEP)  # begins when the others are done
    for c, own, (trained, rows) in chain(_fitted(tables, todo, task, loaders, outcome, out, on_epoch, worker), fused):
        outcome.tasks[c] = own
        save_heads(heads_file(out, c.named()), trained.heads, classes=trained.classes)
        parts[c] = rows
        outcome.trained[c] = trained
        outcome.used.append(key_numbers([key for key in (trained.key, trained.scores_key) if key]))
    order = [*todo, *(c for c in outcome.trained if c not in todo)]
    outcome.trained = {c: outcome.trained[c] for c in order}
    outcome.tasks = {c: outcome.tasks[c] for c in order}
    sizes = [
        {**c.named(), "folds": fold_sizes(own.table, settings=own.settings, seed=c.seed, shared=shared)}
        for c, own in outcome.tasks.items()
    ]
    outcome.failures = pd.concat([outcome.failures, *failed], ignore_index=True)
    heads = {combination_name(c.named()): digest_file(heads_file(out, c.named())) for c in outcome.trained}
    for name in read_heads(out).keys() - heads.keys():  # of an earlier training, of other clips perhaps
        inside(out / "heads", f"{name}.npz").unlink(missing_ok=True)
    remove_others(out, read_reduced(out), list(outcome.reduced))
    finish_networks(out, read_networks(out), outcome.networks, outcome.history)
    record_use(store, out, STEP, np.concatenate(outcome.used))
    outcome.predictions = pd.concat([parts[c] for c in order], ignore_index=True)
    write(outcome.predictions, out / PREDICTIONS.name, PREDICTIONS)
    protocol = describe_splits(tables[todo[0].encoding], todo[0].seed, shared, settings)
    heads_of = {c: own for c, own in outcome.trained.items() if not kinds.is_network(c.module)}
    strengths = {f"{c.encoding} on {c.module.row}, seed {c.seed}": own.chosen for c, own in heads_of.items()}
    protocol["notes"] += copy_notes(outcome.predictions)
    outcome.notes = tuple(protocol["notes"])
    protocol["notes"] += grid_end_notes(strengths, settings.strengths)
    protocol["reduced"] = outcome.reduced
    protocol |= fused_record(fusions, outcome.trained)
    protocol |= {"networks": outcome.networks} if outcome.networks else {}
    record_training(
        out,
        settings,
        seeds=sorted({c.seed for c in todo}),
        modules={module: kinds.describe(module, store=store) for module in loaders},
        image_specs=image_specs({c.encoding: tables[c.encoding] for c in todo}),
        chosen={combination_name(c.named()): trained.chosen for c, trained in outcome.trained.items()},
        sizes=sizes,
        heads=heads,
        inputs=inputs or {},
        started=started,
        protocol=protocol,
    )
    return outcome


def _fitted(
    tables: Mapping[str, pd.DataFrame],
    todo: Sequence[Combination],
    like: HeadTask,
    loaders: Mapping[ModuleSpec, Callable[[], HubModule]],
    outcome: Outcome,
    out: Path,
    on_epoch: OnEpoch | None,
    worker: OwnWorker | None,
) -> Iterator[Result]:
    """Features, then heads, of one encoding and module after the other; on a cluster all heads together, at the end.

    Heads that take one core are fitted while the next features are computed, which alone do not keep two cores busy.

    Parameters
    ----------
    tables, todo
        As for :func:`train_all`.
    like : HeadTask
        What all tasks have in common.
    loaders : mapping of ModuleSpec to callable
        Each gives its loaded module.
    outcome : Outcome
        Gets the failures, and how many vectors were computed.
    out : path
        Where the reduced features are written.
    on_epoch, worker
        As for :func:`train_all`.

    Yields
    ------
    (Combination, HeadTask, (Trained, DataFrame))
        In the order of the pairs of encoding and module, as :func:`trainer.head_tasks.fit_heads` gives them.
    """
    waiting: dict[Combination, HeadTask] = {}
    failed, memory = [outcome.failures], ImageMemory()
    begun: _Begun = deque()
    with _saved_at_an_error(begun), long_calls() as fitter, _ended_at_an_error(worker):
        for encoding, module in _pairs(todo):
            if kinds.is_network(module):
                yield from _collected(begun, outcome)
                for c in (c for c in todo if (c.encoding, c.module) == (encoding, module)):
                    yield c, *_network(c, tables[encoding], like, outcome, failed, out, on_epoch)
                continue
            memory = memory.of(encoding)
            pair = Pair.of(todo, encoding, module, tables, like, out, memory)
            known = pair.known()
            if known:
                yield from _noted(known, outcome)
                continue
            features = _features(pair, loaders[module], outcome, failed, memory)
            with saved_at_an_error(features):
                yield from _collected(begun, outcome)
            pair, values = pair.readable(features)
            if cluster.current():
                waiting |= pair.tasks
                pair = replace(pair, combinations=())
            if takes_one_thread(values.size):
                begun.append((fitter.begin(pair.fit, values, features, worker), features))
            else:
                yield from _noted(pair.fit(values, features), outcome)
        yield from _collected(begun, outcome)
    fitted = in_parallel(fit_from_store, list(waiting.values()), jobs=1, what="heads", batch=1)
    for (c, task), result in zip(waiting.items(), fitted, strict=True):
        yield c, task, result
    outcome.failures = pd.concat(failed, ignore_index=True)


@contextmanager
def _ended_at_an_error(worker: OwnWorker | None) -> Iterator[None]:
    """End a worker where the block fails, whatever it works on: an `sgd` head takes it a minute."""
    try:
        yield
    except BaseException:
        if worker:
            worker.end(failed=True)
        raise


@contextmanager
def _saved_at_an_error(begun: _Begun) -> Iterator[None]:
    """Save the vectors of what was begun where the block fails, as at Ctrl-C: who was to save them is interrupted."""
    try:
        yield
    except BaseException:
        for _, features in begun:
            features.save()
        raise


def _collected(begun: _Begun, outcome: Outcome) -> Iterator[Result]:
    """Wait for what was begun."""
    while begun:
        found = begun[0][0].result()
        begun.popleft()
        yield from _noted(found, outcome)


def _noted(found: FittedPair, outcome: Outcome) -> list[Result]:
    """What was found; `outcome` gets where the reduced features are."""
    name, digest = found.reduced
    outcome.reduced[name] = digest
    outcome.used.append(found.used)
    return found.results


def _pairs(todo: Sequence[Combination]) -> list[tuple[str, ModuleSpec]]:
    """Encodings and modules: all modules of an encoding one after the other, so that its images are read once."""
    pairs = list(dict.fromkeys((c.encoding, c.module) for c in todo))
    if any(kinds.is_network(module) for _, module in pairs):  # these read their images themselves
        return pairs
    place = {encoding: k for k, encoding in enumerate(dict.fromkeys(encoding for encoding, _ in pairs))}
    return sorted(pairs, key=lambda pair: place[pair[0]])


def _features(
    pair: Pair, load: Callable[[], HubModule], outcome: Outcome, failed: list[pd.DataFrame], memory: ImageMemory
) -> Features:
    """Features of a pair's rows; `outcome` and `failed` get what became of them."""
    table, module, store = pair.table, pair.module, pair.like.store
    what = f"{pair.encoding} through {module.handle}"
    outcome.computed += compute_on_cluster(table, module, store=store, what=what)
    features = features_of(table, module, store=store, load=load, what=what, memory=memory, save=False)
    outcome.computed += features.computed
    outcome.used.append(key_numbers(features.keys))
    if features.failures:
        rows = [_failure(table, row, what, why) for row, why in features.failures.items()]
        failed.append(frame(rows, FAILURES))
    return features


def _network(
    c: Combination,
    table: pd.DataFrame,
    like: HeadTask,
    outcome: Outcome,
    failed: list[pd.DataFrame],
    out: Path,
    on_epoch: OnEpoch | None,
) -> tuple[HeadTask, tuple[Trained, pd.DataFrame]]:
    """The networks of one combination; `outcome` and `failed` get what became of them."""
    settings = like.settings.replace(head="lbfgs")  # networks too are trained on all training folds in the end
    table = training_order(table)
    task = replace(like, named=c.named(), table=table, module=c.module, seed=c.seed, settings=settings)
    run = cross_validate_network(task, out, on_epoch=on_epoch)
    outcome.networks |= run.digests
    outcome.history += run.history
    outcome.used.append(key_numbers(run.keys))
    what = f"{c.encoding} through {c.module.row}"
    failed.append(frame([_failure(table, row, what, why) for row, why in run.failures.items()], FAILURES))
    return replace(task, table=run.table), (run.trained, run.predictions)


def _failure(table: pd.DataFrame, row: int, what: str, reason: str) -> dict[str, object]:
    return {"clip_id": table["clip_id"][row], "path": table["path"][row], "step": f"{STEP}: {what}", "reason": reason}
