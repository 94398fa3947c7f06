"""Which files are meant, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import SettingsError
from labeler.files import clip_names, find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sounds, images, other files and a hidden one, in two levels."""
    for name in ("b10.wav", "b9.wav", "a.PNG", "notes.txt", "._b9.wav", "below/c.ogg", "below/b9.wav", "d.JPeG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(files: list[Path], root: Path) -> list[str]:
    """Paths below `root`."""
    return [f.relative_to(root).as_posix() for f in files]


def test_a_folder_means_all_below_it_in_natural_order(folder: Path) -> None:
    found = names(find_files([str(folder)]), folder)
    assert found == ["a.PNG", "b9.wav", "b10.wav", "below/b9.wav", "below/c.ogg", "d.JPeG"]


def test_patterns_are_understood_where_the_shell_leaves_them(folder: Path) -> None:
    assert names(find_files([f"{folder}/b*.wav"]), folder) == ["b9.wav", "b10.wav"]
    assert names(find_files([f"{folder}/**/*.wav"]), folder) == ["b9.wav", "b10.wav", "below/b9.wav"]
    assert names(find_files([f"{folder}/*"]), folder) == ["a.PNG", "b9.wav", "b10.wav", "d.JPeG"]


def test_a_file_given_by_two_paths_is_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    given = ["b9.wav", str(folder / "b9.wav"), "below/../b9.wav", str(folder)]
    found = find_files(given)
    assert found[0] == Path("b9.wav")
    assert [path.name for path in found].count("b9.wav") == 2  # and the one below
    assert len(found) == 6


def test_a_file_is_taken_as_given_and_only_once(folder: Path) -> None:
    (folder / "odd[1].wav").write_bytes(b"x")
    given = [str(folder / n) for n in ("notes.txt", "odd[1].wav", "b9.wav")] + [f"{folder}/b9*", str(folder / "b9.wav")]
    assert names(find_files(given), folder) == ["notes.txt", "odd[1].wav", "b9.wav"]


@pytest.mark.parametrize(
    ("name", "says"),
    [("nothing.wav", "no such file or folder"), ("empty", "no sounds or pictures there"), ("*.mp3", "no sounds or")],
)
def test_what_is_not_there_is_named(name: str, says: str, folder: Path) -> None:
    with pytest.raises(SettingsError, match=f"{name.replace('*', '.')}: {says}"):
        find_files([str(folder / name)])


def test_a_clip_is_called_by_its_file_name_where_that_is_unique(folder: Path) -> None:
    files = [folder / "b9.wav", folder / "b10.wav", folder / "below" / "b9.wav"]
    assert clip_names(files) == [str(folder / "b9.wav"), "b10.wav", str(folder / "below" / "b9.wav")]


def test_many_files_take_no_longer_each(tmp_path: Path) -> None:
    files = [tmp_path / str(k % 7) / f"{k // 2}.wav" for k in range(40_000)]
    names_of = clip_names(files)  # 1.6 thousand million comparisons, if each name were counted anew
    assert len(set(names_of)) == len(files)


def test_a_url_is_refused_in_its_own_words() -> None:
    with pytest.raises(SettingsError, match=r"s3://bucket/a\.wav: sounds to label are read from local files only"):
        find_files(["s3://bucket/a.wav"])
