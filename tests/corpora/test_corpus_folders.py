"""Class folders: layouts, labels, what is left out."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.loading import load
from harness.decoder_messages import DecoderWarning
from harness.errors import SettingsError, SplitError
from harness.hub.fetching import folder_digest
from labeler.files import find_files

Tone = Callable[..., Path]


def _labels(root: Path) -> dict[str, str]:
    table = load("folders", root)
    return dict(zip(table["clip_id"], table["label"], strict=True))


def test_sub_folders_count_to_the_class(tiny: Callable[[str], Path]) -> None:
    labels = _labels(tiny("folders"))
    assert labels == {"bat/a.wav": "bat", "b.wav": "bat", "owl/a.wav": "owl", "c.WAV": "owl", "d.wav": "owl"}


def test_one_folder_with_one_wav(tmp_path: Path, tone: Tone) -> None:
    tone(tmp_path / "dog" / "a.wav")
    for root in (tmp_path, tmp_path / "dog"):
        table = load("folders", root)
        assert table[["clip_id", "label", "fold", "group"]].to_numpy().tolist() == [["a.wav", "dog", "", ""]]


def test_other_endings_are_counted(tmp_path: Path, tone: Tone, recwarn: pytest.WarningsRecorder) -> None:
    """Not those of documents, and nothing where there are no others."""
    tone(tmp_path / "dog" / "a.wav")
    for name in ("a.TextGrid", "README", "notes.txt", "a.png", ".hidden.voc", "a.csv"):
        (tmp_path / "dog" / name).write_bytes(b"x")
    load("folders", tmp_path)
    assert not recwarn.list
    for name in ("b.voc", "c.spx"):
        (tmp_path / "dog" / name).write_bytes(b"x")
    with pytest.warns(DecoderWarning, match=r": 2 files with other endings are not taken, such as b.voc$"):
        load("folders", tmp_path)


@pytest.mark.parametrize("names", [("train", "test"), ("train", "test", "validation"), ("Train", "val")])
def test_train_and_test_folders_are_taken_as_they_are(tmp_path: Path, tone: Tone, names: tuple[str, ...]) -> None:
    for name in names:
        tone(tmp_path / name / "cat" / "1.wav")
        tone(tmp_path / name / "dog" / "deep" / "2.wav")
    table = load("folders", tmp_path)
    assert set(table["fold"]) == set(names)
    assert set(table["label"]) == {"cat", "dog"}
    assert f"{names[0]}/cat/1.wav" in table["clip_id"].tolist()


def test_classes_that_are_called_train_and_test(tmp_path: Path, tone: Tone) -> None:
    for name in ("train/a.wav", "test/b.wav"):
        tone(tmp_path / name)
    with pytest.raises(SplitError, match=r"'test' and 'train' are parts of a split, but test/b.wav is not in a class "):
        load("folders", tmp_path)


def test_a_single_folder_train_among_others_is_a_class(tmp_path: Path, tone: Tone) -> None:
    for name in ("train/a.wav", "dog/b.wav"):
        tone(tmp_path / name)
    table = load("folders", tmp_path)
    assert set(table["label"]) == {"train", "dog"}
    assert set(table["fold"]) == {""}


def test_a_sound_beside_class_folders_has_no_label(tmp_path: Path, tone: Tone) -> None:
    for name in ("bat/a.wav", "stray.wav"):
        tone(tmp_path / name)
    assert _labels(tmp_path) == {"a.wav": "bat", "stray.wav": ""}


def test_linked_folders_are_followed_once(tmp_path: Path, tone: Tone) -> None:
    tone(tmp_path / "elsewhere" / "a.wav")
    root = tmp_path / "root"
    root.mkdir()
    (root / "bat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    assert _labels(root) == {"a.wav": "bat"}


def test_no_folder_a_file_and_nothing_in_it(tmp_path: Path, tone: Tone) -> None:
    with pytest.raises(SettingsError, match=r"root=.*nowhere: no such folder; expected a folder with class folders"):
        load("folders", tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"a\.wav: is a file; expected a folder"):
        load("folders", tone(tmp_path / "a.wav"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match=r"empty: no sounds in it or below it; known are .*\.flac.*\.wav"):
        load("folders", tmp_path / "empty")


def test_a_class_folder_that_cannot_be_read_is_an_error(
    tmp_path: Path, tone: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read all folders, so the system's answer is made up."""
    for name in ("bell/a.wav", "cat/b.wav", "cat/deep/c.wav"):
        tone(tmp_path / name)
    real = os.scandir
    for closed in ("cat", "cat/deep", "."):

        def scandir(path: str, closed: Path = tmp_path / closed) -> object:
            if Path(path) == closed:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        with pytest.raises(SettingsError, match=rf"^{tmp_path / closed}: cannot be read \(Permission denied\), so so"):
            load("folders", tmp_path)
        with pytest.raises(SettingsError, match=rf"^{tmp_path / closed}: cannot be read \(Permission denied\)"):
            find_files([str(tmp_path)])
        with pytest.raises(PermissionError):
            folder_digest(tmp_path)
