"""The folder of images: paths, what is written, what is removed, what is made again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness import image, tables
from harness.digests import FileDigests
from harness.errors import AudioError, TableError
from harness.image_tasks import KIND, ImageTask, PlannedImage, make_images, without_cached
from harness.images import check_paths, failed_tasks, finish, relative_path, update_index
from harness.recipes import CONVERT, MERGE, Recipes, read_recipes
from harness.record import read_steps
from harness.store import Store

PNG = image.encode_png(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8))


def row(clip_id: str, encoding: str = "gray", label: str = "a") -> dict[str, object]:
    return {"clip_id": clip_id, "encoding": encoding, "path": relative_path(encoding, label, clip_id)}


def task(out: Path, *rows: dict[str, object], reason: str = "", asked: list[Any] | None = None) -> ImageTask:
    """A task whose last image fails where there is a reason; `asked` is filled with what is made."""
    planned = [PlannedImage(each, f"key {each['path']}", out / str(each["path"]), each["encoding"]) for each in rows]

    def make(specs: Sequence[Any]) -> Iterator[bytes]:
        if asked is not None:
            asked.extend(specs)
        for spec in specs:
            if reason and spec == specs[-1]:
                raise AudioError(reason)
            yield PNG + str(spec).encode()

    return ImageTask(str(rows[0]["clip_id"]), tuple(planned), make, Store(out.parent / "store"))


def known(work: ImageTask) -> FileDigests:
    return FileDigests(work.store)


def names(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))


# ---- paths


def test_paths_stay_inside_and_say_what_they_are() -> None:
    assert relative_path("gray", "", "a.wav") == "gray/_/a.wav.png"
    assert relative_path("gray", "../x", "../a.wav") == "gray/_.._x/.._a.wav.png"


def test_two_clips_may_not_share_a_file(tmp_path: Path) -> None:
    check_paths([task(tmp_path, row("a/b")), task(tmp_path, row("a/b", "wave"))])
    with pytest.raises(TableError, match=r"clip_id='a/b' and clip_id='a_b' would both be drawn to gray/a/a_b\.png"):
        check_paths([task(tmp_path, row("a/b")), task(tmp_path, row("a_b"))])


# ---- one clip's images


def test_what_is_made_is_in_the_store_and_in_its_file(tmp_path: Path) -> None:
    work = task(tmp_path / "out", row("1"), row("1", "wave"))
    assert without_cached(work, known(work)) == work
    assert make_images(work).reason == ""
    for planned in work.images:
        expected = PNG + str(planned.spec).encode()
        assert planned.target.read_bytes() == work.store.get(KIND, planned.key, ".png") == expected


def test_what_the_store_has_is_written_and_not_made(tmp_path: Path) -> None:
    asked: list[Any] = []
    work = task(tmp_path / "out", row("1"), row("1", "wave"), asked=asked)
    work.store.put(KIND, work.images[0].key, PNG, ".png")
    rest = without_cached(work, known(work))
    assert [planned.spec for planned in rest.images] == ["wave"]
    assert work.images[0].target.read_bytes() == PNG
    make_images(rest)
    assert asked == ["wave"]
    assert without_cached(work, known(work)).images == ()


def test_a_file_is_written_only_where_it_differs(tmp_path: Path) -> None:
    work = task(tmp_path / "out", row("1"))
    make_images(work)
    target = work.images[0].target
    before = target.stat().st_mtime_ns, target.stat().st_ino
    without_cached(work, known(work))
    assert (target.stat().st_mtime_ns, target.stat().st_ino) == before
    for damage in (b"", PNG[:-1], PNG + b"more"):
        target.write_bytes(damage)
        without_cached(work, known(work))
        assert target.read_bytes() == PNG + b"gray"


def test_a_failure_is_a_reason_and_what_was_made_before_it_stays(tmp_path: Path) -> None:
    work = task(tmp_path / "out", row("1"), row("1", "wave"), reason="a.wav: empty")
    assert make_images(work).reason == "a.wav: empty"
    assert [planned.spec for planned in without_cached(work, known(work)).images] == ["wave"]
    broken = ImageTask("1", work.images, lambda specs: iter([PNG]), work.store)
    with pytest.raises(ValueError, match="shorter"):
        make_images(broken)


@pytest.mark.parametrize("jobs", [1, 2])
def test_tasks_that_fail_are_given_with_their_reason(tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "out"
    tasks = [task(out, row(str(i)), reason="odd" if i % 2 else "") for i in range(5)]
    failed = [
        (each.clip_id, reason)
        for each, reason in failed_tasks(tasks, digests=known(tasks[0]), jobs=jobs, what="making")
    ]
    assert failed == [("1", "odd"), ("3", "odd")]
    assert names(out) == ["gray/a/0.png", "gray/a/2.png", "gray/a/4.png"]


# ---- the folder


def write(out: Path, *rows: dict[str, object]) -> None:
    for each in rows:
        (out / str(each["path"])).parent.mkdir(parents=True, exist_ok=True)
        (out / str(each["path"])).write_bytes(PNG)


def test_an_update_replaces_its_own_rows_and_files_only(tmp_path: Path) -> None:
    write(tmp_path, row("1"), row("2"), row("1", "wave"))
    update_index(tmp_path, [row("1"), row("2")], encodings=["gray"])
    update_index(tmp_path, [row("1", "wave")], encodings=["wave"])
    new = update_index(tmp_path, [row("2")], encodings=["gray"])
    assert new["path"].tolist() == ["gray/a/2.png"]
    left = tables.read(tmp_path / "images.csv", tables.IMAGES)
    assert left["path"].tolist() == ["wave/a/1.png", "gray/a/2.png"]
    assert names(tmp_path) == sorted(left["path"])
    update_index(tmp_path, [], encodings=["gray"])
    assert not (tmp_path / "gray").exists()


def test_an_update_without_a_change_writes_nothing(tmp_path: Path) -> None:
    update_index(tmp_path, [row("1")], encodings=["gray"])
    before = (tmp_path / "images.csv").stat().st_ino
    update_index(tmp_path, [row("1")], encodings=["gray"])
    assert (tmp_path / "images.csv").stat().st_ino == before


def test_an_update_removes_nothing_outside_the_folder(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside.png", tmp_path / "images"
    outside.write_bytes(PNG)
    tables.write(
        tables.frame([{**row("1"), "path": "../outside.png"}], tables.IMAGES), out / "images.csv", tables.IMAGES
    )
    update_index(out, [row("2")], encodings=["gray"])
    assert outside.exists()


def test_a_step_ends_with_its_tables_and_its_record(tmp_path: Path) -> None:
    started = time.monotonic()
    drawn = Recipes(encodings={"gray": {"n": 1}, "none": {"n": 2}})
    failure = {"clip_id": "2", "path": "2.wav", "reason": "empty"}
    run = finish(
        tmp_path, CONVERT, rows=[row("1")], failures=[failure], recipes=drawn, inputs={"sounds": "d"}, started=started
    )
    pd.testing.assert_frame_equal(run.images, tables.read(tmp_path / "images.csv", tables.IMAGES))
    pd.testing.assert_frame_equal(run.failures, tables.read(tmp_path / "failures.csv", tables.FAILURES))
    assert run.failures["step"].tolist() == [CONVERT]
    assert run.recipes == drawn
    merged = Recipes(merges={"both": {"how": "stack"}}, partners={"both": ("gray", "gray")})
    finish(tmp_path, MERGE, rows=[row("1", "both")], failures=[], recipes=merged, inputs={}, started=started)
    again = Recipes(encodings={"wave": {"n": 3}})
    finish(tmp_path, CONVERT, rows=[row("1", "wave")], failures=[], recipes=again, inputs={}, started=started)
    steps = read_steps(tmp_path)
    assert steps[CONVERT]["spec"] == {"encodings": {"gray": {"n": 1}, "wave": {"n": 3}}}, "of all images that are there"
    assert steps[MERGE]["spec"] == {"merges": {"both": {"how": "stack"}}, "partners": {"both": ["gray", "gray"]}}
    assert not (tmp_path / "failures.csv").exists()
    assert read_recipes(tmp_path).recipe("both") == {
        "merge": "both",
        "spec": {"how": "stack"},
        "of": {"gray": {"encoding": "gray", "spec": {"n": 1}}},
    }
