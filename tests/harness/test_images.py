"""The folder of pictures: what counts as whole, what is written, what is removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness import image, tables
from harness import images as pictures
from harness.errors import SettingsError, TableError
from harness.parallel import in_parallel

PNG = image.encode_png(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8))


def row(clip_id: str, encoding: str = "gray", label: str = "a") -> dict[str, object]:
    return {"clip_id": clip_id, "encoding": encoding, "path": pictures.relative_path(encoding, label, clip_id)}


def test_a_png_is_whole_or_it_is_not() -> None:
    assert pictures.intact(PNG)
    assert not pictures.intact(b"")
    assert not pictures.intact(PNG + b"more")
    for cut in range(len(PNG)):
        assert not pictures.intact(PNG[:cut])
    for at in range(len(PNG)):
        flipped = bytearray(PNG)
        flipped[at] ^= 1
        assert not pictures.intact(bytes(flipped)), at


def test_paths_stay_inside_and_say_what_they_are() -> None:
    assert pictures.relative_path("gray", "", "a.wav") == "gray/_/a.wav.png"
    assert pictures.relative_path("gray", "../x", "../a.wav") == "gray/_.._x/.._a.wav.png"


def test_deliver_writes_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "gray" / "a.png"
    assert pictures.deliver(PNG, path)
    assert not pictures.deliver(PNG, path)
    path.write_bytes(PNG[:-1])
    assert pictures.deliver(PNG, path)
    assert path.read_bytes() == PNG


def test_publish_replaces_its_own_rows_and_files_only(tmp_path: Path) -> None:
    for each in (row("1"), row("2"), row("1", "wave")):
        pictures.deliver(PNG, tmp_path / str(each["path"]))
    pictures.publish(tmp_path, [row("1"), row("2")], encodings=["gray"])
    pictures.publish(tmp_path, [row("1", "wave")], encodings=["wave"])
    pictures.publish(tmp_path, [row("2")], encodings=["gray"])
    left = tables.read(tmp_path / "images.csv", tables.IMAGES)
    assert sorted(left["path"]) == ["gray/a/2.png", "wave/a/1.png"]
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")) == sorted(left["path"])
    pictures.publish(tmp_path, [], encodings=["gray"])
    assert not (tmp_path / "gray").exists()


def test_publish_removes_nothing_outside_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(PNG)
    out = tmp_path / "images"
    stray = tables.frame([{**row("1"), "path": "../outside.png"}], tables.IMAGES)
    tables.write(stray, out / "images.csv", tables.IMAGES)
    pictures.publish(out, [row("2")], encodings=["gray"])
    assert outside.exists()


def test_two_clips_may_not_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"clip_id='a/b' and clip_id='a_b' would both be drawn to gray/a/a_b\.png"):
        pictures.publish(tmp_path, [row("a/b"), row("a_b")], encodings=["gray"])


def test_failures_of_other_steps_stay(tmp_path: Path) -> None:
    def failed(step: str) -> object:
        return tables.frame([{"clip_id": "1", "path": "p", "step": step, "reason": "r"}], tables.FAILURES)

    none = tables.frame([], tables.FAILURES)
    pictures.report_failures(tmp_path, failed("convert"), step="convert")
    pictures.report_failures(tmp_path, failed("merge"), step="merge")
    assert tables.read(tmp_path / "failures.csv", tables.FAILURES)["step"].tolist() == ["convert", "merge"]
    pictures.report_failures(tmp_path, none, step="convert")
    assert tables.read(tmp_path / "failures.csv", tables.FAILURES)["step"].tolist() == ["merge"]
    pictures.report_failures(tmp_path, none, step="merge")
    assert not (tmp_path / "failures.csv").exists()


@pytest.mark.parametrize("jobs", [1, 2, -1])
def test_results_come_in_order(jobs: int) -> None:
    assert list(in_parallel(abs, [-3, 2, -1], jobs=jobs, what="counting")) == [3, 2, 1]


def test_jobs_must_be_some() -> None:
    with pytest.raises(SettingsError, match="jobs=0: must be 1 or more"):
        list(in_parallel(abs, [1], jobs=0, what="counting"))
