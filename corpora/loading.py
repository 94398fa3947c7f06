"""From a corpus's name to its checked clips table.

The corpora say which sounds there are; what is the same for all of them is done here: clip ids, the part of the
classes that is wanted, folds where there are none, the check that no group spans folds, order.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pandas as pd

from corpora.base import Corpus, Row, ScanOptions
from corpora.identical import as_identical_sounds, groups_by_sound, identical_clips, torn_notes, torn_pairs, torn_sounds
from corpora.overlay import notes_on_overlay, read_overlay
from corpora.parts import beyond_end, notes_on_parts
from corpora.patterns import compile_pattern
from corpora.rows import completed, of_classes, relative_path
from corpora.splitting import assigned_folds, check_ways, is_official, listed_folds, split_by_shares
from harness.cells import is_escaped
from harness.errors import SettingsError, SoundfoldError, TableError, did_you_mean
from harness.files import natural_key
from harness.label_changes import NO_CHANGES, LabelChanges, as_scope, read_label_changes
from harness.record import read_shared_groups
from harness.registry import Registry
from harness.remote import as_path, sizes_of
from harness.shared_groups import SharedGroups, as_policy, check_groups, describe_groups, spanning_groups
from harness.split_parts import parts_of, split_notes
from harness.tables import CLIPS, FAILURES, class_order, fold_order, frame
from harness.urls import local_path, url_of

__all__ = ["CORPORA", "LoadedCorpus", "load", "load_corpus", "missing_files", "warnings_of"]

CORPORA: Registry[Corpus] = Registry("corpus", Corpus, package="corpora.datasets", group="soundfold.corpora")


@dataclass(frozen=True)
class LoadedCorpus:
    """A corpus that was read and checked.

    Parameters
    ----------
    clips : DataFrame
        Its clips table, as :func:`load` gives it.
    shared : SharedGroups
        What is done about groups that span folds, with the declared exceptions that this table has.
    notes : list of str
        What a reader of the results must know about the clips and their folds, a sentence each.
    copies : list of str
        The same of identical sounds in several folds; :func:`corpora.find_duplicates` says more of them.
    duplicates : DataFrame
        Each of their clips with one in another fold, as `harness.tables.DUPLICATES`.
    changes : LabelChanges
        Labels that an overlay has changed; those of scope ``all`` are in the clips table already.
    """

    clips: pd.DataFrame
    shared: SharedGroups
    notes: list[str]
    copies: list[str]
    duplicates: pd.DataFrame
    changes: LabelChanges = NO_CHANGES


def load(
    name: str,
    root: str | Path = "",
    *,
    pattern: str = "",
    classes: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    subset: str = "",
    folds: int = 0,
    split: str | Mapping[str, float] = "",
    lists: Mapping[str, str] | None = None,
    seed: int = 0,
    shared_groups: str = "official",
    identical_sounds: str = "group",
) -> pd.DataFrame:
    """Give the clips table of a corpus.

    Parameters
    ----------
    name : str
        One of :data:`CORPORA`.
    root : path
        Where the corpus lies: a folder, or a URL (``s3://bucket/esc50``); for ``csv`` the CSV file; empty only for
        ``demo``, which is made where it is not there.
    pattern : str
        Regular expression with the named parts fold, group, label, searched for in each path relative to the root.
    classes : sequence of str
        The classes that are wanted; empty for all.
    columns : mapping of str to str, optional
        For ``csv``: a column of the clips table to the CSV's name for it.
    subset : str
        A named part of the corpus, as ``esc10`` of ``esc50``.
    folds : int
        0 takes the corpus's own folds; where it has none, five are assigned if there are enough groups and
        clips of a class. Any other number assigns that many, whatever the corpus says.
    split : str or mapping
        Percentages of a single split to assign: ``"80/20"`` (train/test), ``"75/20/5"`` (train/test/validation), or a
        mapping of train, validation and test to theirs.
    lists : mapping of str to str, optional
        Fold, or part of a single split, to a text file that names its clips, one a line; see
        :func:`corpora.splitting.listed_folds`.
    seed : int
        For folds that are assigned, and for a corpus that is made.
    shared_groups : str
        What is done about groups that span folds: ``refuse``, ``official``, ``drop`` or ``allow``; see
        :class:`harness.shared_groups.SharedGroups`.
    identical_sounds : str
        ``group``: clips with the same bytes count as one group, see :func:`corpora.identical.groups_by_sound`.
        ``separate``: the groups are the corpus's own, whatever the clips hold.

    Returns
    -------
    DataFrame
        The schema ``CLIPS``, sorted by clip_id in natural order, with absolute paths. A file that
        metadata names but that is not there has its row all the same: see :func:`missing_files`.

    Raises
    ------
    SettingsError
        An unknown corpus, class, column, subset, policy or pattern; a root that is missing or empty; a list that names
        no clip; several ways to give folds.
    SplitError
        A group spans folds, folds that are parts of a single split together with others, or fewer groups, or clips
        of every class, than are asked for.
    TableError
        Metadata without a needed column, a clip named twice, a part of a file that ends before it starts.
    """
    loaded = load_corpus(
        name, root, pattern=pattern, classes=classes, columns=columns, subset=subset, folds=folds, split=split,
        lists=lists, seed=seed, shared_groups=shared_groups, identical_sounds=identical_sounds,
    )  # fmt: skip
    return loaded.clips


def load_corpus(
    name: str,
    root: str | Path = "",
    *,
    pattern: str = "",
    classes: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    subset: str = "",
    folds: int = 0,
    split: str | Mapping[str, float] = "",
    lists: Mapping[str, str] | None = None,
    seed: int = 0,
    shared_groups: str = "official",
    identical_sounds: str = "group",
    overlay: str | Path = "",
    overlay_scope: str = "training",
    store: str = "",
    make: bool = True,
) -> LoadedCorpus:
    """Read a corpus: its clips table, its exceptions, and notes on them.

    Parameters and errors are those of :func:`load`; `store` and `make` those of
    :class:`corpora.base.ScanOptions`; `overlay` is a table of labels to change, as for
    :func:`corpora.overlay.read_overlay`, and `overlay_scope` says where they are used, see
    :class:`harness.label_changes.LabelChanges`. Folds are those without it.
    """
    scope = as_scope(overlay_scope)
    corpus, policy, lists = CORPORA[name], as_policy(shared_groups), lists or {}
    joins = as_identical_sounds(identical_sounds) == "group"
    pattern_parts = tuple(compile_pattern(pattern).groupindex) if pattern else ()
    options = ScanOptions(
        columns=dict(columns or {}), subset=subset, seed=seed, pattern_parts=pattern_parts, store=store, make=make
    )
    _check_options(corpus, options)
    check_ways(folds=folds, split=split, lists=lists)
    if not 0 <= seed < 2**32:
        raise SettingsError(f"seed={seed}: expected 0 to {2**32 - 1}")
    where = _absolute_root(corpus, root, options)
    rows = _scanned(corpus, where, options)
    if not rows:
        raise SettingsError(f"root={where}: the corpus {name!r} found no clips there")
    base = where.parent if where.is_file() else where
    rows = sorted(completed(rows, base, pattern), key=lambda row: natural_key(row["clip_id"]))
    notes = []
    if lists:
        listed = listed_folds(rows, [relative_path(as_path(row["path"]), base) for row in rows], lists, base)
        rows, notes = listed.rows, listed.notes
    table = _table(rows, [classes] if isinstance(classes, str) else classes, where)
    if make:
        _check_any_there(table, where)
    identical = identical_clips(table)
    if joins:
        given = not (folds or split) and bool(table["fold"].any())
        table["group"], joined = groups_by_sound(table, identical, folds_given=given, official=policy == "official")
        notes += joined
    if split:
        table["fold"], assigned = split_by_shares(table, split, seed)
        notes.append(assigned)
    else:
        table["fold"] = assigned_folds(table, folds, seed)
    shared = SharedGroups(policy)
    if is_official(folds, split, lists, pattern_parts):
        shared = SharedGroups(policy, _exceptions(table, corpus, where))
    torn = torn_sounds(table, identical)
    changes = read_overlay(overlay, table, scope=scope) if overlay else _recorded_changes(table, where)
    used = changes.everywhere(table)
    notes += [*_checked_notes(used, shared), *notes_on_overlay(changes, table), *notes_on_parts(beyond_end(table))]
    return LoadedCorpus(used, shared, notes, torn_notes(table, torn), torn_pairs(table, torn), changes)


def _table(rows: list[Row], classes: Sequence[str], where: Path) -> pd.DataFrame:
    try:
        table = frame(of_classes(rows, classes), CLIPS)
    except TableError as error:
        raise TableError(f"{where}: {error}") from None
    _check_parts(table)
    return table


def _exceptions(table: pd.DataFrame, corpus: Corpus, where: Path) -> dict[str, tuple[str, ...]]:
    """The declared groups that span folds in this table; for a clips table those that its ``run.json`` names."""
    spanning = spanning_groups(table["fold"].tolist(), table["group"].tolist())
    recorded = read_shared_groups(where.parent, table=where.name).exceptions if where.is_file() else {}
    return {
        group: own
        for group, own in spanning.items()
        if group in corpus.shared_groups or set(own) <= set(recorded.get(group, ()))
    }


def _recorded_changes(table: pd.DataFrame, where: Path) -> LabelChanges:
    """Of a clips table the changes for training that its ``run.json`` names; those of scope ``all`` are made in it."""
    found = read_label_changes(where.parent, where.name) if where.is_file() else NO_CHANGES
    if found.scope == "all":
        return NO_CHANGES
    there = set(table["clip_id"])
    labels = {clip: label for clip, label in found.labels.items() if clip in there}
    return replace(found, labels=labels, dropped=tuple(clip for clip in found.dropped if clip in there))


def _checked_notes(table: pd.DataFrame, shared: SharedGroups) -> list[str]:
    """Check the folds of a table; give what is to be said of them."""
    folds, groups = table["fold"].tolist(), table["group"].tolist()
    parts_of(folds)
    check_groups(folds, groups, shared)
    return [*split_notes(folds, table["label"].tolist()), *describe_groups(folds, groups, shared.exceptions)]


def missing_files(table: pd.DataFrame) -> pd.DataFrame:
    """Clips whose file is not there, or ends before they start, as rows of ``failures.csv``."""
    there = _there(table["path"])
    why = {
        clip_id: _why_missing(path)
        for clip_id, path in zip(table["clip_id"], table["path"], strict=True)
        if path not in there
    }
    why |= {each.clip_id: str(each) for each in beyond_end(table[table["path"].isin(there)]) if each.empty}
    missing = [
        {"clip_id": clip_id, "path": path, "step": "corpus", "reason": why[clip_id]}
        for clip_id, path in zip(table["clip_id"], table["path"], strict=True)
        if clip_id in why
    ]
    return frame(missing, FAILURES)


def _why_missing(path: str) -> str:
    if is_escaped(path):
        return "its name is not UTF-8, so that no table can have it; rename it"
    there = not url_of(path) and os.path.exists(path)
    return "is not a regular file" if there and not os.path.isdir(path) else "no such file"


def warnings_of(table: pd.DataFrame) -> list[str]:
    """What is unusual about a clips table, one line each; nothing here is an error yet."""
    found = []
    for column in ("label", "fold", "group"):
        empty = table[table[column] == ""]
        if 0 < len(empty) < len(table):
            first = empty["clip_id"].iloc[0]
            found.append(f"{len(empty)} of {len(table)} clips have no {column}; the first is {first!r}")
    folds = fold_order(table["fold"])
    parts = parts_of(folds)
    if parts and len(folds) > 1 and "train" not in parts:
        listed = " and ".join(folds)
        found.append(
            f"a single split without train ({listed}): the clips can be drawn and labelled, but not trained on"
        )
    if len(folds) < 2:
        found.append("fewer than two folds: the clips can be drawn and labelled, but not cross-validated")
    if len(class_order(table["label"])) < 2:
        found.append("fewer than two classes: the clips can be drawn and labelled, but nothing can be learnt from them")
    return found


def _scanned(corpus: Corpus, root: Path, options: ScanOptions) -> list[Row]:
    """The rows that a corpus gives, each held against the columns of a clips table."""
    try:
        rows = list(corpus.scan(root, options))
    except SoundfoldError:
        raise
    except Exception as error:  # whatever somebody's corpus raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise SettingsError(f"corpus {corpus.name!r}: its function scan failed ({reason})") from error
    for row in rows:
        if not isinstance(row, Mapping) or not row.get("path"):
            raise SettingsError(f"corpus {corpus.name!r}: scan gave {row!r}, expected a row with a 'path'")
        for column in row:
            if column not in CLIPS.columns:
                hint = did_you_mean(str(column), CLIPS.columns)
                raise SettingsError(f"corpus {corpus.name!r}: scan gave a row with {column!r}; {hint}")
    return rows


def _check_options(corpus: Corpus, options: ScanOptions) -> None:
    if options.subset and options.subset not in corpus.subsets:
        has = did_you_mean(options.subset, corpus.subsets) if corpus.subsets else "it has none"
        raise SettingsError(f"subset={options.subset!r}: not a subset of the corpus {corpus.name!r}; {has}")
    if options.columns and not corpus.columns:
        raise SettingsError(
            f"columns: the corpus {corpus.name!r} has columns of its own; names can be given for the corpus 'csv'"
        )


def _absolute_root(corpus: Corpus, root: str | Path, options: ScanOptions) -> Path:
    if not str(root):
        if corpus.default_root is None:
            raise SettingsError(f"root is empty: the corpus {corpus.name!r} needs the folder or file where it lies")
        root = corpus.default_root(options)
    url = url_of(root)
    if not url:
        return Path(os.path.abspath(local_path(root)))
    as_path(url).exists()  # says what is the matter where nothing there answers
    return as_path(url)


def _check_parts(table: pd.DataFrame) -> None:
    start, end = table["start_s"].fillna(0.0), table["end_s"].fillna(math.inf)
    wrong = table[(start < 0) | (end <= start)]
    if len(wrong):
        clip = wrong.iloc[0]
        raise TableError(
            f"clip {clip['clip_id']!r}: start_s={clip['start_s']:g}, end_s={clip['end_s']:g}; "
            "expected 0 <= start < end, in seconds from the start of the file"
        )


def _check_any_there(table: pd.DataFrame, where: Path) -> None:
    if not _there(table["path"], most=1):
        raise SettingsError(
            f"root={where}: none of its {len(table)} sounds is there; the first is {table['path'].iloc[0]}"
        )


def _there(paths: Iterable[str], *, most: int | None = None) -> set[str]:
    """Those of some paths that are files; at most so many of the local ones."""
    urls = {path: url for path in paths if (url := url_of(path))}
    sizes = sizes_of(urls.values())
    local = (path for path in paths if path not in urls and os.path.isfile(path))
    return {path for path, url in urls.items() if url in sizes} | set(islice(local, most))
