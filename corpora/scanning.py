"""A corpus as a clips table on disk, with its record and its failures; what a table holds, in words."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from corpora.datasets.demo import VERSION
from corpora.file_digests import update_digests
from corpora.given_images import IMAGE, image_rows, is_images, write_images
from corpora.loading import CORPORA, load, load_corpus, missing_files, warnings_of
from harness.duplicates import write_duplicates
from harness.errors import SettingsError, TableError
from harness.failures import update_failures
from harness.files import digest_file
from harness.record import CORPUS, record_step, step_of
from harness.registry import load_plugins, plugin_file
from harness.remote import as_path
from harness.run_lock import run_lock
from harness.shared_groups import IDENTICAL, SharedGroups, spanning_groups
from harness.split_parts import parts_of
from harness.store import Store
from harness.tables import CLIPS, fold_order, write
from harness.urls import absolute
from harness.written import claim

__all__ = ["ScanResult", "list_corpora", "make_demo", "scan_to_table", "summary"]


@dataclass(frozen=True)
class ScanResult:
    """What a scan found.

    Parameters
    ----------
    clips : DataFrame
        The clips whose files are there, as `harness.tables.CLIPS`.
    failures : DataFrame
        The clips whose files are not, as `harness.tables.FAILURES`.
    warnings : list of str
        What is unusual about the table, one line each.
    notes : list of str
        What a reader of the results must know about the clips and their folds, as ``run.json`` has it.
    """

    clips: pd.DataFrame
    failures: pd.DataFrame
    warnings: list[str]
    notes: list[str]


def scan_to_table(
    corpus: str,
    root: str | Path = "",
    *,
    out: str | Path,
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
    strict: bool = False,
    plugins: Iterable[str | Path] = (),
    digests: bool = True,
    encoding: str = "",
    store: Store | None = None,
) -> ScanResult:
    """Write the clips table of a corpus, or the images table of one of images.

    With it go ``run.json``, ``digests.csv``, and ``failures.csv`` for files that are not there.

    Parameters
    ----------
    corpus, root, pattern, classes, columns, subset, folds, split, lists, seed, shared_groups, identical_sounds
        As for :func:`corpora.load`.
    overlay, overlay_scope
        As for :func:`corpora.loading.load_corpus`. With scope ``training`` the table has the labels that the corpus
        gives, and ``run.json`` names the changes, for the trainer.
    out : path
        The table.
    strict : bool
        Raise at the first file that is not there.
    plugins : iterable of path
        Python files that define further corpora.
    digests : bool
        Write ``digests.csv``, which :func:`corpora.verifying.verify_table` compares the files with.
    encoding : str
        The name that the images of a corpus of images go by; default: ``image``.
    store : Store, optional
        Where digests of files are taken from and put; default: the user's.

    Raises
    ------
    TableError
        With `strict`, a file that is not there; nothing is written. Else as :func:`corpora.load`.
    SettingsError, SplitError
        As :func:`corpora.load`.
    """
    started, store = time.monotonic(), store or Store()
    load_plugins(plugins)
    images = is_images(corpus)
    if encoding and not images:
        raise SettingsError(f"encoding={encoding!r}: the clips of {corpus!r} are sounds, which the converter draws")
    settings: dict[str, Any] = {
        "pattern": pattern,
        "classes": list(classes),
        "columns": dict(columns or {}),
        "subset": subset,
        "folds": folds,
        "split": split if isinstance(split, str) else dict(split),
        "lists": {fold: str(file) for fold, file in (lists or {}).items()},
        "seed": seed,
        "shared_groups": shared_groups,
        "identical_sounds": identical_sounds,
        "overlay": str(overlay),
        "overlay_scope": overlay_scope,
    }
    loaded = load_corpus(corpus, root, **settings)
    table = loaded.clips
    failures = missing_files(table)
    if strict and len(failures):
        first = failures.iloc[0]
        raise TableError(f"{first['path']}: {first['reason']} (clip {first['clip_id']!r})")
    clips = table[~table["clip_id"].isin(failures["clip_id"])]
    folder = Path(out).parent
    with run_lock(folder, adds=True):
        before = _table_before(folder, Path(out).name)
        claim(folder, [Path(out).name])
        if images:
            write_images(image_rows(clips, encoding=encoding or IMAGE, store=store), Path(out))
        else:
            write(clips, out, CLIPS)
        update_failures(folder, failures, step="corpus")
        write_duplicates(loaded.duplicates, folder)
        if digests:
            update_digests(folder, clips["path"], store=store)
        spec = {
            "table": Path(out).name,
            "name": corpus,
            "root": str(root),
            "location": absolute(root) if str(root) else "",
            **settings,
            **loaded.shared.to_json(),
            **loaded.changes.to_json(),
            "notes": loaded.notes,
        }
        inputs = _inputs(corpus, as_path(root), overlay)
        record_step(folder, CORPUS, spec=spec, inputs=inputs, seed=seed, started=started)
    warnings = [*warnings_of(clips), *_leaks(clips, loaded.shared), *before]
    return ScanResult(clips, failures, warnings, [*loaded.notes, *loaded.copies])


def list_corpora(*, plugins: Iterable[str | Path] = ()) -> str:
    """Every corpus, its licence, its folds and what its groups are, as aligned text."""
    load_plugins(plugins)
    columns = ("name", "title", "licence", "folds", "group")
    rows = []
    for name in CORPORA:
        try:
            rows.append([getattr(CORPORA[name], column) for column in columns])
        except SettingsError as error:  # an installed package that is broken
            rows.append([name, f"not available: {error}", "", "", ""])
    return _aligned(pd.DataFrame(rows, columns=list(columns)))


def make_demo(out: str | Path, *, seed: int = 0) -> pd.DataFrame:
    """Make the demo corpus, with ``run.json``; give its clips table."""
    started = time.monotonic()
    clips = load("demo", out, seed=seed)
    record_step(out, "make-demo", spec={"version": VERSION, "seed": seed}, seed=seed, started=started)
    return clips


def summary(clips: pd.DataFrame) -> str:
    """Counts of a clips table in words, then per class and fold as aligned text."""
    known = (clips["group"] != "") & ~clips["group"].str.startswith(IDENTICAL)
    grouped, folds = clips[known], fold_order(clips["fold"])
    counts = pd.DataFrame({"clips": clips["label"].value_counts()})
    counts["groups"] = grouped.groupby("label")["group"].nunique()
    single = parts_of(folds) is not None
    for fold in folds:
        counts[fold if single else f"fold {fold}"] = clips.loc[clips["fold"] == fold, "label"].value_counts()
    counts = counts.fillna(0).astype(int).sort_index()
    total = {**counts.sum(), "groups": grouped["group"].nunique()}
    words = (
        (len(clips), "clip", "clips"),
        (len(counts), "class", "classes"),
        (len(folds), *(("part of a split", "parts of a split") if single else ("fold", "folds"))),
        (total["groups"], "group", "groups"),
    )
    counts = pd.concat([counts.rename({"": "(none)"}), pd.DataFrame([total], index=["all"])])
    counts.insert(0, "class", counts.index)
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in words) + "\n" + _aligned(counts)


def _inputs(corpus: str, root: Path, overlay: str | Path) -> dict[str, str]:
    """Digests of the metadata that a scan read, of its overlay, and of the plugin that did it, by file name."""
    found = CORPORA[corpus]
    files = [root] if root.is_file() else [root / name for name in found.metadata]
    files += [as_path(file) for file in [plugin_file(found), overlay] if file]
    return {path.name: digest_file(path) for path in files if path.is_file()}


def _table_before(folder: Path, table: str) -> list[str]:
    """A warning where the folder has a table of another scan already, whose record and digests this one replaces."""
    other = step_of(folder, CORPUS).get("spec", {}).get("table", "")
    if not other or other == table or not (folder / other).is_file():
        return []
    return [
        f"{folder / other}: was scanned into the same folder; run.json and digests.csv are of {table} now, so that "
        f"`verify` and the shared groups of {other} are no longer known; scan each table into a folder of its own"
    ]


def _leaks(clips: pd.DataFrame, shared: SharedGroups) -> list[str]:
    if shared.policy == "allow" and spanning_groups(clips["fold"].tolist(), clips["group"].tolist()):
        return ["groups in several folds are allowed, so figures will be too good"]
    return []


def _aligned(table: pd.DataFrame) -> str:
    """A table as text, words to the left and numbers to the right."""
    widths = {c: max(len(c), table[c].str.len().max()) for c in table.select_dtypes(exclude="number")}
    padded = {c: " " + table[c].str.ljust(width) for c, width in widths.items()}
    text = table.assign(**padded).rename(columns={c: f" {c:<{width}}" for c, width in widths.items()})
    return "\n".join(line.strip() for line in text.to_string(index=False).splitlines())
