"""Which images train, validate and test."""

from __future__ import annotations

import logging
import shutil
from collections import Counter
from pathlib import Path

import pytest
from retrain_parts import make_folders

from harness import tables
from harness.errors import SettingsError, SplitError
from trainer.retrain.image_lists import ImageFile, find_images, read_groups
from trainer.retrain.split import CATEGORIES, ImageSets, SplitSettings, hash_percentage, split_images


@pytest.fixture(autouse=True)
def _log_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="retrain")


def images_of(contents: dict[str, int], group_of: dict[str, str] | None = None) -> tuple[list[str], list[ImageFile]]:
    images = [
        ImageFile(
            f"{folder}/{i:03}.png", f"img/{folder}/{i:03}.png", target, (group_of or {}).get(f"{folder}/{i:03}.png", "")
        )
        for target, (folder, n) in enumerate(contents.items())
        for i in range(n)
    ]
    return list(contents), images


def names(images: tuple[ImageFile, ...]) -> list[str]:
    return [image.name for image in images]


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
    def where(*paths: str) -> ImageSets:
        images = [ImageFile("dog_bark/" + path.rsplit("/", 1)[1], path, 0) for path in paths]
        other = [ImageFile(f"rain/{i}.png", f"img/rain/{i}.png", 1) for i in range(3)]
        return split_images(images + other, ["dog_bark", "rain"], SplitSettings(method="legacy"))

    assert "dog_bark/344-3-5-0.wav.png" in names(where("img/dog_bark/344-3-5-0.wav.png").testing)
    assert "dog_bark/344-3-5-0.wav.png" in names(where("/data/img/dog_bark/344-3-5-0.wav.png").training)
    both = where("img/dog_bark/344-3-5-0_nohash_1.png", "img/dog_bark/344-3-5-0_nohash_2.png")
    assert names(both.training)[:2] == ["dog_bark/344-3-5-0_nohash_1.png", "dog_bark/344-3-5-0_nohash_2.png"]


def test_hash_split_is_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    contents = {"a": [f"{i}.png" for i in range(60)], "b": [f"{i}.png" for i in range(60)]}
    image_dir = make_folders(tmp_path / "here", contents)
    folders, images = find_images(image_dir)
    before = split_images(images, folders, SplitSettings())
    shutil.move(image_dir, tmp_path / "there")
    folders, images = find_images(str(tmp_path / "there"))
    after = split_images(images, folders, SplitSettings())
    for category in CATEGORIES:
        assert names(getattr(before, category)) == names(getattr(after, category))
    assert len(before.training) + len(before.testing) + len(before.validation) == 120
    assert 4 <= len(before.testing) <= 25 and 4 <= len(before.validation) <= 25
    legacy = split_images(images, folders, SplitSettings(method="legacy"))
    assert names(legacy.testing) != names(after.testing)


def test_adding_images_moves_none() -> None:
    folders, few = images_of({"a": 100, "b": 100})
    _, many = images_of({"a": 150, "b": 140})
    before, after = (split_images(i, folders, SplitSettings()) for i in (few, many))
    assert set(names(before.testing)) <= set(names(after.testing))
    assert set(names(before.training)) <= set(names(after.training))


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (3, 30), (4, 5), (8, 8), (1, 60)])
def test_no_class_is_empty_where_it_need_not_be(sizes: tuple[int, int]) -> None:
    folders, images = images_of({"a": sizes[0], "b": sizes[1]})
    sets = split_images(images, folders, SplitSettings())
    assert {image.target for image in sets.training} == {0, 1}
    for target, size in enumerate(sizes):
        if size >= 3:
            assert target in {image.target for image in sets.testing} & {image.target for image in sets.validation}
    both = names(sets.training) + names(sets.testing) + names(sets.validation)
    assert sorted(both) == sorted(image.name for image in images)


def test_zero_per_cent_asks_for_no_set(caplog: pytest.LogCaptureFixture) -> None:
    folders, images = images_of({"a": 30, "b": 30})
    sets = split_images(images, folders, SplitSettings(testing_percentage=0, validation_percentage=0))
    assert len(sets.training) == 60 and not sets.testing
    assert "WARNING: no images for testing." in caplog.text
    with pytest.raises(SettingsError, match="nothing is left to train on"):
        SplitSettings(testing_percentage=60, validation_percentage=40)
    with pytest.raises(SettingsError, match=r"testing_percentage=-5: must be 0 or more"):
        SplitSettings(testing_percentage=-5)


def test_nohash_keeps_together_and_warns_of_a_whole_class(caplog: pytest.LogCaptureFixture) -> None:
    leaves = [
        ImageFile(f"a/leaf{i}_nohash_{k}.png", f"i/a/leaf{i}_nohash_{k}.png", 0) for i in range(30) for k in range(4)
    ]
    other = [ImageFile(f"b/one_nohash_{k}.png", f"i/b/one_nohash_{k}.png", 1) for k in range(30)]
    sets = split_images(leaves + other, ["a", "b"], SplitSettings())
    set_of = {image.name.split("_")[0]: c for c in CATEGORIES for image in getattr(sets, c)}
    for category in CATEGORIES:
        assert all(set_of[image.name.split("_")[0]] == category for image in getattr(sets, category))
    assert "all 30 images of 'b' stay together" in caplog.text


def test_groups_of_images_csv_stay_in_one_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = [f"{i:03}.wav.png" for i in range(80)]
    image_dir = make_folders(tmp_path / "images" / "gray", {"a": files, "b": files})
    folders, images = find_images(image_dir)
    split_images(images, folders, SplitSettings())
    assert "Groups are unknown" in caplog.text
    caplog.clear()
    rows = [
        {
            "clip_id": image.name,
            "encoding": "gray",
            "path": f"gray/{image.name}",
            "group": str(i % 80 // 4),
            "label": "a",
        }
        for i, image in enumerate(images)
    ]
    tables.write(tables.frame(rows, tables.IMAGES), tmp_path / "images" / "images.csv", tables.IMAGES)
    grouped = read_groups(image_dir, images)
    assert Counter(image.group for image in grouped)["7"] == 8
    sets = split_images(grouped, folders, SplitSettings())
    training, testing, validation = ({image.group for image in getattr(sets, c)} for c in CATEGORIES)
    assert training and testing and validation
    assert not (training & testing or training & validation or testing & validation)
    assert "Groups are unknown" not in caplog.text


def test_lists_override_the_hash() -> None:
    folders, images = images_of({"a": 30, "b": 30})
    test = frozenset({"a/000.png", "a/003.png", "a/004.png", "b/007.png", "b/008.png", "b/009.png"})
    sets = split_images(images, folders, SplitSettings(test=test))
    assert set(names(sets.testing)) == test
    assert sets.validation
    exact = split_images(images, folders, SplitSettings(test=test, validation=frozenset({"b/001.png"})))
    assert names(exact.validation) == ["b/001.png"]
    assert len(exact.training) == 60 - 7


def test_lists_that_cannot_be_right() -> None:
    folders, images = images_of({"a": 2, "b": 2})
    both = frozenset({"a/000.png"})
    with pytest.raises(SplitError, match="in test_list and in validation_list"):
        split_images(images, folders, SplitSettings(test=both, validation=both))
    with pytest.raises(SplitError, match="no images are left to train on"):
        split_images(images, folders, SplitSettings(test=frozenset(image.name for image in images)))


def test_a_list_that_splits_a_group_is_refused() -> None:
    group_of = {"a/000.png": "one", "a/001.png": "one"}
    folders, images = images_of({"a": 40, "b": 40}, group_of)
    test = frozenset({"a/000.png", "b/001.png"})
    with pytest.raises(
        SplitError, match=r": one \(folds testing, training\).*; --allow_shared_groups goes on with the leak$"
    ):
        split_images(images, folders, SplitSettings(test=test))
    sets = split_images(images, folders, SplitSettings(test=test, allow_shared_groups=True))
    assert set(names(sets.testing)) == test


@pytest.mark.parametrize("how", ["legacy", "allowed"])
def test_groups_in_several_sets_are_logged(caplog: pytest.LogCaptureFixture, how: str) -> None:
    group_of = {f"{folder}/{i:03}.png": f"g{i % 5}" for folder in ("a", "b") for i in range(40)}
    folders, images = images_of({"a": 40, "b": 40}, group_of)
    if how == "legacy":
        split_images(images, folders, SplitSettings(method="legacy"))
    else:
        listed = frozenset({"a/000.png", "b/001.png"})
        split_images(images, folders, SplitSettings(test=listed, allow_shared_groups=True))
    said = [r.getMessage() for r in caplog.records if "groups are in several sets" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("WARNING: 5 of 5 groups" if how == "legacy" else "WARNING: 2 of 5 groups")
    assert ("--split hash" in said[0]) == (how == "legacy")
    assert caplog.records[0].levelno <= logging.WARNING
    caplog.clear()
    split_images(images, folders, SplitSettings())
    assert "several sets" not in caplog.text
