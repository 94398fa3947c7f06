"""The folder of images that ``images.csv`` describes, which the converter and the merger both fill.

Each has its own encodings there: ``<encoding>/<label>/<clip_id>.png``, the rows of ``images.csv``, their rows of
``failures.csv``, their step of ``run.json``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from harness import cluster, tables
from harness.augmented_ids import is_augmented
from harness.digests import FileDigests
from harness.errors import ClusterError, TableError
from harness.failures import update_failures
from harness.files import folder_name, safe_name, short_name
from harness.image_tasks import ImageTask, Made, make_images, without_cached
from harness.outdated import WaitingMerges, outdated_merges, waiting_merges
from harness.parallel import KILLED, in_parallel
from harness.recipes import Recipes, read_recipes, record_recipes
from harness.tables import FAILURES, IMAGES
from harness.threads import in_threads
from harness.written import check_one_folder_each, claim

__all__ = [
    "NO_LABEL",
    "ImageRun",
    "Removal",
    "begin",
    "check_files",
    "check_paths",
    "failed_tasks",
    "finish",
    "relative_path",
    "update_index",
]

NO_LABEL = "_"


class Removal(str):
    """A line about images that were removed now, which says nothing of the next run."""


@dataclass(frozen=True)
class ImageRun:
    """What the converter or the merger made.

    Parameters
    ----------
    images : DataFrame
        The new rows of ``images.csv``.
    failures : DataFrame
        Clips without an image, as `harness.tables.FAILURES`.
    recipes : Recipes
        How the images were drawn.
    warnings : tuple of str
        What is unusual about the clips, one line each.
    """

    images: pd.DataFrame
    failures: pd.DataFrame
    recipes: Recipes
    warnings: tuple[str, ...] = ()

    @classmethod
    def empty(cls) -> ImageRun:
        """Nothing made."""
        return cls(tables.frame([], IMAGES), tables.frame([], FAILURES), Recipes())

    def __add__(self, other: ImageRun) -> ImageRun:
        """What two steps made together."""
        return ImageRun(
            pd.concat([self.images, other.images], ignore_index=True),
            pd.concat([self.failures, other.failures], ignore_index=True),
            self.recipes | other.recipes,
            (*self.warnings, *other.warnings),
        )

    def with_absolute_paths(self, folder: str | Path) -> pd.DataFrame:
        """The rows with paths that can be opened from anywhere; they are relative to `folder`."""
        root = Path(folder).resolve()
        return self.images.assign(path=[os.path.join(root, path) for path in self.images["path"]])


def relative_path(encoding: str, label: str, clip_id: str) -> str:
    """Where a clip's image lies below the folder, with forward slashes; ``_`` stands for no label.

    Those of changed sounds lie in a folder of their own, so that whoever is given the first trains on none of them.

    Examples
    --------
    >>> relative_path("gray", "dog_bark", "site/a.wav")
    'gray/dog_bark/site_a.wav.png'
    """
    folder = folder_name(label) if label else NO_LABEL
    first = f"{encoding}@augmented" if is_augmented(clip_id) else encoding
    return f"{first}/{folder}/{short_name(safe_name(clip_id))}.png"


def check_files(images: pd.DataFrame, table: str | Path) -> None:
    """Refuse rows of an ``images.csv`` whose images were drawn in memory, so that there are no files.

    Raises
    ------
    TableError
        Naming the table, an encoding, and how its images are drawn to files.
    """
    bare = images.loc[images["path"] == "", "encoding"]
    if len(bare):
        raise TableError(
            f"{table}: the images of {bare.iloc[0]!r} have no files, since the study has [convert] keep_images = "
            "false; run it once more with --set convert.keep_images=true, which draws them and computes nothing else"
        )


def check_paths(tasks: Iterable[ImageTask]) -> None:
    """Refuse two clips whose images would have one and the same path, and two labels with one class folder."""
    tasks = list(tasks)
    check_one_folder_each(str(planned.row.get("label", "")) for task in tasks for planned in task.images[:1])
    first: dict[object, object] = {}
    for row in (planned.row for task in tasks for planned in task.images):
        clip, path = row["clip_id"], row["path"]
        if first.setdefault(path, clip) != clip:
            raise TableError(f"clip_id={first[path]!r} and clip_id={clip!r} would both be drawn to {path}; rename one")


def begin(out: Path, tasks: Iterable[ImageTask], digests: FileDigests) -> WaitingMerges:
    """Take the images that will be written anew out of ``images.csv``, so that it is never wrong about a file.

    So are merged images that were made of them; :func:`finish` puts back those that are made of the same still.

    Parameters
    ----------
    out : Path
        The folder of images.
    tasks : iterable of ImageTask
    digests : FileDigests
        Images that are known to be in their files already are not written.

    Returns
    -------
    WaitingMerges
        For :func:`finish`, once it has compared.
    """
    path, images = out / IMAGES.name, [planned for task in tasks for planned in task.images]
    if images:
        claim(out, [f"{planned.row['encoding']}/" for planned in images])
    if not path.is_file():
        return WaitingMerges()
    anew = {planned.row["path"] for planned in images if not digests.holds(planned.target, planned.key)}
    table = tables.read(path, IMAGES)
    waiting = waiting_merges(out, table, anew, digests)
    left = table[~table["path"].isin({*anew, *waiting.rows["path"]})]
    if len(left) < len(table):
        tables.write(left, path, IMAGES)
    return waiting


def failed_tasks(
    tasks: Sequence[ImageTask], *, digests: FileDigests, jobs: int, what: str
) -> Iterator[tuple[ImageTask, str]]:
    """Make every image that the store does not have, write all of them, and give the tasks that fail.

    Parameters
    ----------
    tasks : sequence of ImageTask
    digests : FileDigests
        Images that are known to be in their files already are not read; those written now become known.
    jobs : int
        Processes; 1 stays in this one, -1 takes as many as there are cores.
    what : str
        A word shown before the progress bar.

    Yields
    ------
    (ImageTask, str)
        A task that failed, and why.

    Raises
    ------
    ClusterError
        A worker wrote images to a folder that this machine does not see.
    """
    left = in_threads(partial(without_cached, digests=digests), tasks)  # making a file waits for the file system
    missing = [task for task in left if task.images]
    results = in_parallel(make_images, missing, jobs=jobs, what=what, if_killed=lambda _: Made(reason=KILLED))
    for task, made in zip(missing, results, strict=True):
        if made.written and cluster.current() and not task.images[0].target.exists():
            raise ClusterError(f"a worker has written {task.images[0].target}, but it is not there: share the folder")
        for planned, each in zip(task.images, made.written, strict=False):  # the first of them, where one failed
            digests.written(planned.target, each.state, each.digest, planned.key)
        if made.reason:
            yield task, made.reason


def finish(
    out: Path,
    step: str,
    *,
    rows: Iterable[dict[str, object]],
    failures: Iterable[dict[str, object]],
    recipes: Recipes,
    inputs: Mapping[str, str],
    started: float,
    waiting: WaitingMerges | None = None,
) -> ImageRun:
    """Write ``images.csv``, ``failures.csv`` and ``run.json`` when the images of one step are there.

    Parameters
    ----------
    out : Path
        The folder of images.
    step : str
        ``convert`` or ``merge``.
    rows, failures : iterable of dict
        Rows of ``images.csv`` and ``failures.csv``; the failures without their step.
    recipes : Recipes
        How the step's images were drawn.
    inputs, started
        For :func:`harness.record.record_step`.
    waiting : WaitingMerges, optional
        What :func:`begin` gave.
    """
    images = update_index(out, rows, encodings={*recipes.encodings, *recipes.merges})
    warnings = _remove_outdated(out, {*recipes.encodings, *recipes.merges}, waiting or WaitingMerges())
    failed = tables.frame([{**row, "step": step} for row in failures], FAILURES)
    update_failures(out, failed, step=step)
    there = set(tables.read(out / IMAGES.name, IMAGES)["encoding"])
    record_recipes(out, step, read_recipes(out).only(there) | recipes, inputs=inputs, started=started)
    return ImageRun(images, failed, recipes, warnings)


def _remove_outdated(out: Path, drawn: Collection[str], waiting: WaitingMerges) -> tuple[str, ...]:
    """Remove merged images that were made of others than there are now; one line for each such merge."""
    known, table, lines = read_recipes(out), tables.read(out / IMAGES.name, IMAGES), []
    for name, (rows, gone) in outdated_merges(table, known, drawn, waiting).items():
        update_index(out, rows, encodings=[name])
        for row in waiting.rows[waiting.rows["encoding"] == name].to_dict("records"):
            if row["path"] not in {right["path"] for right in rows}:
                _remove(out, row["path"])
        if gone:
            of = ", ".join(known.partners[name])
            lines.append(
                Removal(
                    f"merge {name!r}: {gone} images removed, since images of {of} that they were made of have been "
                    "drawn anew or are gone; merge them again"
                )
            )
    return tuple(lines)


def update_index(out: str | Path, rows: Iterable[dict[str, object]], *, encodings: Collection[str]) -> pd.DataFrame:
    """Put the rows of some encodings into ``images.csv`` and remove the images that they no longer name.

    Parameters
    ----------
    out : path
        The folder of images.
    rows : iterable of dict
        The new rows of `encodings`, in the order of the clips.
    encodings : collection of str
        All encodings that were drawn now, those without a row too. Other encodings' rows stay.

    Returns
    -------
    DataFrame
        The new rows, checked.
    """
    out = Path(out)
    new = tables.frame(rows, IMAGES)
    table = out / IMAGES.name
    old = tables.read(table, IMAGES) if table.is_file() else new.iloc[:0]
    mine = old["encoding"].isin(set(encodings)) | old["path"].isin(set(new["path"]) - {""})
    parts = [part for part in (old[~mine], new) if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else new
    if not table.is_file() or not whole.equals(old):
        tables.write(whole, table, IMAGES)
    for path in sorted(set(old["path"][mine]) - set(whole["path"])):
        _remove(out, path)
    return new


def _remove(out: Path, relative: str) -> None:
    """Remove an image and the folders that it leaves empty; never anything outside `out`."""
    path = (out / relative).resolve()
    if out.resolve() not in path.parents:
        return
    path.unlink(missing_ok=True)
    for folder in list(path.parents)[: len(Path(relative).parts) - 1]:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
