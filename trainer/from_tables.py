"""Train from tables on disk, as ``python -m trainer run`` does: ``images.csv``, and ``clips.csv`` for sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from harness.duplicates import copies_across_folds, copy_corpus_record
from harness.failures import update_failures
from harness.hub import kinds
from harness.hub.handles import ModuleSpec
from harness.label_changes import read_label_changes
from harness.record import CORPUS, read_shared_groups, step_of
from harness.run_lock import locks_folder
from harness.shared_groups import Policy
from harness.store import Store
from harness.tables import IMAGES, read
from trainer.ablation import SOUND, combinations
from trainer.augmented_rows import originals
from trainer.fitting import HeadSettings
from trainer.fusions import fusions_from_options
from trainer.inputs import read_encoding, read_sounds
from trainer.networks.curves import OnEpoch
from trainer.repeats import check_repeatable, repeat_all
from trainer.run_record import STEP
from trainer.running import Outcome, train_all

__all__ = ["train_images"]


@locks_folder("out")
def train_images(
    images: str | Path,
    out: str | Path,
    *,
    encodings: Sequence[str] | None = None,
    modules: Sequence[str | ModuleSpec] = ("builtin:scattering",),
    clips: str | Path | None = None,
    settings: HeadSettings | None = None,
    seeds: Sequence[int] = (0,),
    store: Store | None = None,
    shared_groups: Policy | None = None,
    repeats: int = 0,
    fuse: Sequence[str] = (),
    on_epoch: OnEpoch | None = None,
) -> Outcome:
    """Cross-validate the images of a table with every module; what is written: :func:`trainer.running.train_all`.

    Parameters
    ----------
    images : path
        The ``images.csv`` that the converter or the merger wrote.
    out : path
        Folder to write to.
    encodings : sequence of str, optional
        Default: all of the table.
    modules : sequence of str or ModuleSpec
        Handles; relative paths are relative to the working directory.
    clips : path, optional
        The ``clips.csv``, for modules that take the sound itself.
    settings : HeadSettings, optional
    seeds : sequence of int
    store : Store, optional
    shared_groups : str, optional
        What is done about groups that span folds, in place of what the ``run.json`` of the tables says; see
        :class:`harness.shared_groups.SharedGroups`.
    repeats : int
        Over how many other groupings of the clips into folds all is repeated; see :mod:`trainer.repeats`.
    fuse : sequence of str
        ``NAME=mean:gray,logmel``: rows that join others, see :func:`trainer.fusions.fusions_from_options`.
    on_epoch : callable, optional
        As for :func:`trainer.running.train_all`.

    Raises
    ------
    SettingsError, TableError, ModuleError, SplitError
        As :func:`trainer.ablation.combinations`, :func:`trainer.inputs.read_encoding` and
        :func:`trainer.running.train_all`.
    """
    settings, store = settings or HeadSettings(), store or Store()
    names = list(encodings or dict.fromkeys(read(images, IMAGES)["encoding"]))
    tables = {name: read_encoding(images, name) for name in names}
    specs = [kinds.parse(module) if isinstance(module, str) else module for module in modules]
    todo = combinations(names, specs, settings, seeds, store=store)
    fusions = fusions_from_options(fuse, todo, names)
    if any(c.encoding == SOUND for c in todo):
        tables[SOUND] = read_sounds(clips)
    check_repeatable(tables[todo[0].encoding]["fold"].tolist(), repeats, todo=todo)
    source = Path(images).parent
    if clips is not None and not step_of(source, CORPUS):
        source = Path(clips).parent
    changes = read_label_changes(source)
    tables = {name: changes.for_training(table) for name, table in tables.items()}
    shared = read_shared_groups(source, shared_groups)
    used = pd.concat(map(originals, tables.values())).drop_duplicates("clip_id")
    folders = [source] if clips is None else [source, Path(clips).parent]
    copies = {clip: other for each in folders for clip, other in copies_across_folds(each, used, shared).items()}
    outcome = train_all(
        tables, todo, settings, out, store=store, shared=shared, copies=copies, fusions=fusions, on_epoch=on_epoch
    )
    repeat_all(tables, todo, settings, out, repeats=repeats, store=store, shared=shared, fusions=fusions)
    copy_corpus_record(source, out)
    update_failures(out, outcome.failures, step=STEP)
    return outcome
