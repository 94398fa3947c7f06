"""The fold folders: hard links, each clip evaluated exactly once, no clip in both folders of a fold, nothing stale."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pandas as pd
import pytest
from small_study import command

from harness.errors import SettingsError, SplitError, TableError
from harness.tables import IMAGES, frame, write
from trainer.__main__ import app
from trainer.inputs import read_encoding
from trainer.layout import fold_folder, lay_out, write_lists

CLASSES = ("dog bark", "siren")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The ``images.csv`` of forty images in ten folds, of two encodings."""
    rows = []
    for encoding in ("gray", "logmel"):
        for i in range(40):
            path = f"{encoding}/{CLASSES[i % 2]}/{i:02}.wav.png"
            (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "images" / path).write_bytes(f"{encoding} {i}".encode())
            fold, group = str(1 + i % 10), f"g{i % 20}"
            label = CLASSES[i % 2]
            rows.append({"clip_id": f"{i:02}.wav", "encoding": encoding, "path": path} | {
                "label": label, "fold": fold, "group": group, "spec": "0"})  # fmt: skip
    write(frame(rows, IMAGES), tmp_path / "images" / IMAGES.name, IMAGES)
    return tmp_path / "images" / IMAGES.name


@pytest.fixture
def table(images: Path) -> pd.DataFrame:
    """Rows of the gray images."""
    return read_encoding(images, "gray")


def laid_out(folder: Path) -> tuple[set[str], set[str]]:
    """Images of the training and of the evaluation folder, as ``class/name``."""
    fold = folder.name.removeprefix("evaluation_on_fold")

    def below(name: str) -> set[str]:
        return {"/".join(p.parts[-2:]) for p in (folder / name).rglob("*") if p.is_file()}

    return below(f"training_all_folds_but_fold{fold}"), below(f"evaluation_fold{fold}")


def contents(out: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and inode of every file, by its path."""
    return {p.relative_to(out).as_posix(): (p.read_bytes(), p.stat().st_ino) for p in out.rglob("*") if p.is_file()}


def test_rows_of_one_encoding_with_absolute_paths(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(images.parent.parent)
    table = read_encoding("images/images.csv", "logmel")
    assert len(table) == 40
    assert all(Path(p).is_absolute() and Path(p).read_bytes().startswith(b"logmel") for p in table["path"])
    with pytest.raises(TableError, match="no encoding 'grey'; did you mean 'gray'"):
        read_encoding(images, "grey")
    with pytest.raises(TableError, match="no such table"):
        read_encoding(images.parent / "none.csv", "gray")


def test_every_clip_is_evaluated_exactly_once_and_never_trained_on_there(table: pd.DataFrame, tmp_path: Path) -> None:
    folders = lay_out(table, tmp_path / "folds")
    assert [f.name for f in folders] == [f"evaluation_on_fold{k}" for k in range(1, 11)]
    everything = {"/".join(Path(p).parts[-2:]) for p in table["path"]}
    evaluated: list[str] = []
    for folder in folders:
        training, evaluation = laid_out(folder)
        assert not training & evaluation
        assert training | evaluation == everything
        evaluated += evaluation
    assert sorted(evaluated) == sorted(everything)


def test_fold_10_says_10(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(table, tmp_path)
    of_ten = {f"{row.label}/{row.clip_id}.png" for row in table[table["fold"] == "10"].itertuples()}
    assert laid_out(tmp_path / "evaluation_on_fold10")[1] == of_ten
    assert (tmp_path / "evaluation_on_fold10" / "training_all_folds_but_fold10").is_dir()
    first = (tmp_path / "evaluation_on_fold1" / "test.txt").read_text().splitlines()
    assert not set(first) & of_ten


def test_the_lists_name_test_and_validation(table: pd.DataFrame, tmp_path: Path) -> None:
    lists = write_lists(table, tmp_path)
    assert list(lists) == [str(k) for k in range(1, 11)]
    for fold, paths in lists.items():
        following = "1" if fold == "10" else str(int(fold) + 1)
        for path, meant in zip(paths, (fold, following), strict=True):
            named = path.read_text(encoding="utf-8").splitlines()
            expected = [f"{r.label}/{r.clip_id}.png" for r in table[table["fold"] == meant].itertuples()]
            assert named == sorted(expected)
    assert paths[0] == fold_folder(tmp_path, "10") / "test.txt"


def test_hard_links_take_no_space(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(table, tmp_path / "folds")
    for path in table["path"]:
        assert os.stat(path).st_nlink == 11  # itself, and once in each fold
    by_name = {"/".join(Path(p).parts[-2:]): Path(p) for p in table["path"]}
    for laid in (tmp_path / "folds").rglob("*.png"):
        assert laid.samefile(by_name["/".join(laid.parts[-2:])])


def test_copies_where_links_fail(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> NoReturn:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    for _ in range(2):
        lay_out(table, tmp_path / "folds")
        laid = list((tmp_path / "folds").rglob("*.png"))
        assert len(laid) == 400
        for path in laid:
            assert path.stat().st_nlink == 1
            assert path.read_bytes() == f"gray {int(path.name[:2])}".encode()


def test_a_second_time_changes_nothing(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(table, tmp_path / "folds")
    first = {p: b for p, b in contents(tmp_path / "folds").items() if p.endswith(".png")}
    lay_out(table.sample(frac=1, random_state=0).reset_index(drop=True), tmp_path / "folds")
    assert {p: b for p, b in contents(tmp_path / "folds").items() if p.endswith(".png")} == first


def test_images_that_no_longer_belong_go(table: pd.DataFrame, tmp_path: Path) -> None:
    lay_out(table, tmp_path / "folds")
    (tmp_path / "folds" / "notes.txt").write_text("mine")
    Path(table["path"][0]).unlink()
    Path(table["path"][1]).unlink()
    Path(table["path"][1]).write_bytes(b"drawn anew")
    fewer = table.drop(index=0).reset_index(drop=True)
    fewer.loc[fewer["clip_id"].isin(["02.wav", "22.wav"]), "fold"] = "5"
    folders = lay_out(fewer, tmp_path / "folds")
    for folder in folders:
        training, evaluation = laid_out(folder)
        assert not training & evaluation
        assert "dog bark/00.wav.png" not in training | evaluation
        assert len(training | evaluation) == 39
    assert "dog bark/02.wav.png" in laid_out(fold_folder(tmp_path / "folds", "5"))[1]
    assert "dog bark/02.wav.png" in laid_out(fold_folder(tmp_path / "folds", "3"))[0]
    assert {p.read_bytes() for p in (tmp_path / "folds").rglob("01.wav.png")} == {b"drawn anew"}
    assert (tmp_path / "folds" / "notes.txt").read_text() == "mine"


def test_what_is_removed_is_said(table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "folds"
    lay_out(table, out)
    assert capsys.readouterr().err == ""
    gone = fold_folder(out, "1") / "evaluation_fold1" / "/".join(Path(table["path"][0]).parts[-2:])
    mine = gone.with_name("notes.txt")
    mine.write_text("mine")
    lay_out(table.drop(index=0).reset_index(drop=True), out)
    said = capsys.readouterr().err
    assert said == f"warning: {out}: 10 images removed that belong to no fold any more, the first: {gone}\n"
    assert not gone.exists()
    assert mine.read_text() == "mine"


def test_an_image_that_was_not_laid_out_is_not_removed(table: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    lay_out(table, out)
    mine = next((fold_folder(out, "2") / "evaluation_fold2").iterdir()) / "mine.png"
    mine.write_bytes(b"mine")
    with pytest.raises(SettingsError, match=rf"{mine}: belongs to no fold, and was not laid out by soundfold"):
        lay_out(table, out)
    assert mine.read_bytes() == b"mine"
    (tmp_path / "other" / "evaluation_on_fold3" / "training_mine" / "x").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"evaluation_on_fold3: is in the way, and was not written by soundfold"):
        lay_out(table, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["evaluation_on_fold3"]


@pytest.mark.parametrize("lay", [lay_out, write_lists])
def test_folds_do_not_share_folders(lay: Callable[..., object], table: pd.DataFrame, tmp_path: Path) -> None:
    folds = table.assign(fold=["a:b" if int(f) % 2 else "a_b" for f in table["fold"]])
    with pytest.raises(SettingsError, match="folds 'a:b' and 'a_b' would share the folder 'evaluation_on_folda_b'"):
        lay(folds, tmp_path)


def test_folders_of_folds_that_are_gone_go(
    table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "folds"
    lay_out(table, out)
    trained = fold_folder(out, "9") / "output_graph.pb"
    trained.write_bytes(b"a graph")
    (out / "evaluation_on_foldx").mkdir()
    (out / "evaluation_on_foldx" / "test.txt").write_text("mine")
    fewer = table.assign(fold=[str(1 + int(f) % 5) for f in table["fold"]])
    folders = lay_out(fewer, out)
    left = {folder.name for folder in out.iterdir() if folder.is_dir()}
    assert left == {f.name for f in folders} | {"evaluation_on_fold9", "evaluation_on_foldx"}
    assert [p.name for p in trained.parent.rglob("*")] == ["output_graph.pb"]
    assert (out / "evaluation_on_foldx" / "test.txt").read_text() == "mine"
    said = capsys.readouterr().err.splitlines()
    assert sum("removed, since there is no such fold any more" in line for line in said) == 4
    assert f"warning: {trained.parent}: what else lies there stays, since there is no such fold any more" in said


def test_names_of_folds_that_cannot_be_in_a_path(table: pd.DataFrame, tmp_path: Path) -> None:
    named = table.assign(fold=["site/a" if int(f) % 2 else "site:b" for f in table["fold"]])
    folders = lay_out(named, tmp_path)
    assert [f.name for f in folders] == ["evaluation_on_foldsite_a", "evaluation_on_foldsite_b"]
    training, evaluation = laid_out(folders[0])
    assert len(training) == len(evaluation) == 20


def test_two_folds_hold_out_a_fifth_of_the_training_rows(table: pd.DataFrame, tmp_path: Path) -> None:
    two = table.assign(fold=[str(1 + int(f) % 2) for f in table["fold"]])
    lists = [write_lists(two, tmp_path / str(k), seed=seed)["1"][1].read_text() for k, seed in enumerate((0, 0, 1))]
    assert lists[0] == lists[1] != lists[2]
    assert len(lists[0].splitlines()) == 4
    assert laid_out(lay_out(two, tmp_path / "folds")[0])[0].issuperset(lists[0].splitlines())


def test_a_leak_is_refused_before_anything_is_written(
    images: Path, table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = table.assign(group="g0", path=[str(Path(p).relative_to(images.parent)) for p in table["path"]])
    write(leaking, images, IMAGES)
    with pytest.raises(SplitError, match=r"1 group is in several folds: g0 \(folds 1, 2, 3.*shared_groups=\"drop\""):
        lay_out(table.assign(group="g0"), tmp_path / "folds")
    words = ["layout", "--images", images, "--encoding", "gray", "--out", tmp_path / "folds"]
    said = command(app, *words, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert "--shared-groups drop leaves their clips out" in said.err
    assert "folds 10 assigns" not in said.err, "folds are not assigned here"
    assert not (tmp_path / "folds").exists()
    said = command(app, *words, "--allow-shared-groups", capsys=capsys)
    assert (said.code, said.err) == (1, "error: --allow-shared-groups: is now --shared-groups allow\n")
    said = command(app, *words, "--shared-groups", "allow", capsys=capsys)
    assert said.code == 0
    assert said.out.splitlines() == [str(fold_folder(tmp_path / "folds", str(k))) for k in range(1, 11)]
