"""Class folders, labels, lists and the split."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from pathlib import Path

import pytest

from harness import tables
from harness.errors import SettingsError, SplitError
from trainer.retrain.image_lists import Picture, find_pictures, label_of, labels_of, read_groups, read_list
from trainer.retrain.split import ImageLists, SplitSettings, hash_percentage, split


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="retrain")


def folders_of(root: Path, contents: dict[str, list[str]]) -> str:
    """Make class folders with empty files."""
    for folder, files in contents.items():
        (root / folder).mkdir(parents=True)
        for file in files:
            (root / folder / file).touch()
    return str(root)


def pictures_of(contents: dict[str, int], group_of: dict[str, str] | None = None) -> tuple[list[str], list[Picture]]:
    pictures = [
        Picture(
            f"{folder}/{i:03}.png", f"img/{folder}/{i:03}.png", target, (group_of or {}).get(f"{folder}/{i:03}.png", "")
        )
        for target, (folder, n) in enumerate(contents.items())
        for i in range(n)
    ]
    return list(contents), pictures


def names(pictures: tuple[Picture, ...]) -> list[str]:
    return [p.name for p in pictures]


@pytest.mark.parametrize(
    ("name", "percentage"),
    [
        ("img/dog_bark/344-3-5-0.wav.png", 19.305894),
        ("/data/img/dog_bark/344-3-5-0.wav.png", 41.256327),
        ("img/dog_bark/344-3-5-0", 28.832191),
    ],
)
def test_golden_percentages(name: str, percentage: float) -> None:
    assert hash_percentage(name) == pytest.approx(percentage, abs=5e-7)


def test_legacy_golden_sets() -> None:
    def where(*paths: str) -> ImageLists:
        pictures = [Picture("dog_bark/" + path.rsplit("/", 1)[1], path, 0) for path in paths]
        other = [Picture(f"rain/{i}.png", f"img/rain/{i}.png", 1) for i in range(3)]
        return split(pictures + other, ["dog_bark", "rain"], SplitSettings("legacy"))

    assert "dog_bark/344-3-5-0.wav.png" in names(where("img/dog_bark/344-3-5-0.wav.png").testing)
    assert "dog_bark/344-3-5-0.wav.png" in names(where("/data/img/dog_bark/344-3-5-0.wav.png").training)
    both = where("img/dog_bark/344-3-5-0_nohash_1.png", "img/dog_bark/344-3-5-0_nohash_2.png")
    assert names(both.training)[:2] == ["dog_bark/344-3-5-0_nohash_1.png", "dog_bark/344-3-5-0_nohash_2.png"]


def test_finds_pictures_in_either_case_in_class_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = ["b.JPG", "a.jpeg", "c.PNG", "d.bmp", "e.GIF", "f.txt", ".g.png"]
    image_dir = folders_of(tmp_path / "img", {"rain": files, "dog": [f"{i}.png" for i in range(20)], "none": ["x.wav"]})
    (tmp_path / "img" / ".hidden").mkdir()
    folders, pictures = find_pictures(image_dir)
    assert folders == ["dog", "rain"]
    assert [p.name for p in pictures[20:]] == ["rain/a.jpeg", "rain/b.JPG", "rain/c.PNG", "rain/d.bmp", "rain/e.GIF"]
    assert {p.target for p in pictures[20:]} == {1}
    assert pictures[20].path == f"{image_dir}/rain/a.jpeg"
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "Looking for images in 'dog'",
        "Looking for images in 'none'",
        "No files found",
        "Looking for images in 'rain'",
        "WARNING: Folder has less than 20 images, which may cause issues.",
    ]


def test_fatal_folders(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^Must set flag --image_dir\.$"):
        find_pictures("")
    with pytest.raises(SettingsError, match=r"^Image directory 'nowhere' not found\.$"):
        find_pictures("nowhere")
    empty = folders_of(tmp_path / "empty", {"a": []})
    with pytest.raises(SettingsError, match=f"^No valid folders of images found at {empty}$"):
        find_pictures(empty)
    lone = folders_of(tmp_path / "lone", {"a": ["1.png"], "b": []})
    with pytest.raises(SettingsError, match=f"^Only one valid folder of images found at {lone} - multiple classes"):
        find_pictures(lone)


def test_labels() -> None:
    assert labels_of(["001 - Dog bark", "Gun_shot", "собака", "猫"]) == ["001 dog bark", "gun shot", "собака", "猫"]
    assert label_of("_rain") == " rain"
    with pytest.raises(SettingsError, match="'dog-bark' and 'dog_bark' both give the label 'dog bark'"):
        labels_of(["dog-bark", "dog_bark"])


def test_hash_split_is_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    contents = {"a": [f"{i}.png" for i in range(60)], "b": [f"{i}.png" for i in range(60)]}
    image_dir = folders_of(tmp_path / "here", contents)
    folders, pictures = find_pictures(image_dir)
    before = split(pictures, folders, SplitSettings())
    shutil.move(image_dir, tmp_path / "there")
    folders, pictures = find_pictures(str(tmp_path / "there"))
    after = split(pictures, folders, SplitSettings())
    for category in ("training", "testing", "validation"):
        assert names(getattr(before, category)) == names(getattr(after, category))
    assert len(before.training) + len(before.testing) + len(before.validation) == 120
    assert 4 <= len(before.testing) <= 25 and 4 <= len(before.validation) <= 25
    legacy = split(pictures, folders, SplitSettings("legacy"))
    assert names(legacy.testing) != names(after.testing)


def test_adding_pictures_moves_none() -> None:
    folders, few = pictures_of({"a": 100, "b": 100})
    _, many = pictures_of({"a": 150, "b": 140})
    before, after = (split(p, folders, SplitSettings()) for p in (few, many))
    assert set(names(before.testing)) <= set(names(after.testing))
    assert set(names(before.training)) <= set(names(after.training))


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (3, 30), (4, 5), (8, 8), (1, 60)])
def test_no_class_is_empty_where_it_need_not_be(sizes: tuple[int, int]) -> None:
    folders, pictures = pictures_of({"a": sizes[0], "b": sizes[1]})
    lists = split(pictures, folders, SplitSettings())
    assert {p.target for p in lists.training} == {0, 1}
    for target, size in enumerate(sizes):
        if size >= 3:
            assert target in {p.target for p in lists.testing} & {p.target for p in lists.validation}
    both = names(lists.training) + names(lists.testing) + names(lists.validation)
    assert sorted(both) == sorted(p.name for p in pictures)


def test_zero_per_cent_asks_for_no_set(caplog: pytest.LogCaptureFixture) -> None:
    folders, pictures = pictures_of({"a": 30, "b": 30})
    lists = split(pictures, folders, SplitSettings(testing_percentage=0, validation_percentage=0))
    assert len(lists.training) == 60 and not lists.testing
    assert "WARNING: no images for testing." in caplog.text
    with pytest.raises(SettingsError, match="nothing is left to train on"):
        SplitSettings(testing_percentage=60, validation_percentage=40)
    with pytest.raises(SettingsError, match=r"testing_percentage=-5: expected 0 to 100"):
        SplitSettings(testing_percentage=-5)


def test_nohash_keeps_together_and_warns_of_a_whole_class(caplog: pytest.LogCaptureFixture) -> None:
    leaves = [
        Picture(f"a/leaf{i}_nohash_{k}.png", f"i/a/leaf{i}_nohash_{k}.png", 0) for i in range(30) for k in range(4)
    ]
    other = [Picture(f"b/one_nohash_{k}.png", f"i/b/one_nohash_{k}.png", 1) for k in range(30)]
    lists = split(leaves + other, ["a", "b"], SplitSettings())
    sets = {p.name.split("_")[0]: c for c in ("training", "testing", "validation") for p in getattr(lists, c)}
    for category in ("training", "testing", "validation"):
        assert all(sets[p.name.split("_")[0]] == category for p in getattr(lists, category))
    assert "all 30 images of 'b' stay together" in caplog.text


def test_groups_of_images_csv_stay_on_one_side(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [f"{i:03}.wav.png" for i in range(80)]
    image_dir = folders_of(tmp_path / "images" / "gray", {"a": files, "b": files})
    folders, pictures = find_pictures(image_dir)
    split(pictures, folders, SplitSettings())
    assert "Groups are unknown" in caplog.text
    caplog.clear()
    rows = [
        {"clip_id": p.name, "encoding": "gray", "path": f"gray/{p.name}", "group": str(i % 80 // 4), "label": "a"}
        for i, p in enumerate(pictures)
    ]
    tables.write(tables.frame(rows, tables.IMAGES), tmp_path / "images" / "images.csv", tables.IMAGES)
    grouped = read_groups(image_dir, pictures)
    assert Counter(p.group for p in grouped)["7"] == 8
    lists = split(grouped, folders, SplitSettings())
    sides = [{p.group for p in side} for side in (lists.training, lists.testing, lists.validation)]
    assert all(sides) and not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert "Groups are unknown" not in caplog.text


def test_lists_override_the_hash(tmp_path: Path) -> None:
    image_dir = folders_of(
        tmp_path / "img", {"a": [f"a{i}.wav.png" for i in range(30)], "b": [f"{i}.png" for i in range(30)]}
    )
    folders, pictures = find_pictures(image_dir)
    entries = ["a/a0.wav.png", f"{image_dir}/b/7.png", "a3.wav.png", "a4.wav", "./b/9.png", "", "  b/8.png  "]
    (tmp_path / "test.txt").write_text("\n".join(entries))
    test = read_list(str(tmp_path / "test.txt"), image_dir, pictures)
    assert test == {"a/a0.wav.png", "b/7.png", "a/a3.wav.png", "a/a4.wav.png", "b/9.png", "b/8.png"}
    lists = split(pictures, folders, SplitSettings(test=frozenset(test)))
    assert set(names(lists.testing)) == test
    assert lists.validation
    exact = split(pictures, folders, SplitSettings(test=frozenset(test), validation=frozenset({"b/1.png"})))
    assert names(exact.validation) == ["b/1.png"]
    assert len(exact.training) == 60 - 7


def test_lists_that_cannot_be_right(tmp_path: Path) -> None:
    image_dir = folders_of(tmp_path / "img", {"a": ["0.png", "1.png"], "b": ["0.png", "2.png"]})
    folders, pictures = find_pictures(image_dir)

    def read(text: str) -> set[str]:
        (tmp_path / "list.txt").write_text(text)
        return read_list(str(tmp_path / "list.txt"), image_dir, pictures)

    with pytest.raises(SplitError, match=r"'a/7\.png' names no image"):
        read("a/7.png")
    with pytest.raises(SplitError, match=r"'0.png' names 2 images \(a/0.png, b/0.png"):
        read("0.png")
    with pytest.raises(SettingsError, match="is empty"):
        read("\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_list(str(tmp_path / "none.txt"), image_dir, pictures)
    both = frozenset({"a/0.png"})
    with pytest.raises(SplitError, match="in test_list and in validation_list"):
        split(pictures, folders, SplitSettings(test=both, validation=both))
    with pytest.raises(SplitError, match="no images are left to train on"):
        split(pictures, folders, SplitSettings(test=frozenset(p.name for p in pictures)))


def test_a_list_that_tears_a_group_apart_is_refused() -> None:
    group_of = {"a/000.png": "one", "a/001.png": "one"}
    folders, pictures = pictures_of({"a": 40, "b": 40}, group_of)
    test = frozenset({"a/000.png", "b/001.png"})
    with pytest.raises(SplitError, match=r"group 'one' stands in .*allow_shared_groups"):
        split(pictures, folders, SplitSettings(test=test))
    lists = split(pictures, folders, SplitSettings(test=test, allow_shared_groups=True))
    assert set(names(lists.testing)) == test
