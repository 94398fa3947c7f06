"""Class folders, labels, groups and lists of files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from retrain_parts import make_folders

from harness.errors import SettingsError, SplitError
from trainer.retrain.image_lists import find_images, label_of, labels_of, read_list


@pytest.fixture(autouse=True)
def _log_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="retrain")


def test_finds_images_in_either_case_in_class_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = ["b.JPG", "a.jpeg", "c.PNG", "d.bmp", "e.GIF", "f.txt", ".g.png"]
    image_dir = make_folders(
        tmp_path / "img", {"rain": files, "dog": [f"{i}.png" for i in range(20)], "none": ["x.wav"]}
    )
    (tmp_path / "img" / ".hidden").mkdir()
    folders, images = find_images(image_dir)
    assert folders == ["dog", "rain"]
    assert [image.name for image in images[20:]] == [
        "rain/a.jpeg",
        "rain/b.JPG",
        "rain/c.PNG",
        "rain/d.bmp",
        "rain/e.GIF",
    ]
    assert {image.target for image in images[20:]} == {1}
    assert images[20].path == f"{image_dir}/rain/a.jpeg"
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "Looking for images in 'dog'",
        "Looking for images in 'none'",
        "WARNING: 1 of 1 files in 'none' are passed over, having no image's ending (the first: x.wav).",
        "No files found",
        "Looking for images in 'rain'",
        "WARNING: 1 of 6 files in 'rain' are passed over, having no image's ending (the first: f.txt).",
        "WARNING: Folder has less than 20 images, which may cause issues.",
    ]


def test_an_image_without_an_ending_is_one(tmp_path: Path) -> None:
    image_dir = make_folders(tmp_path / "img", {"rain": ["a.png"], "dog": ["b.png"]})
    (tmp_path / "img/rain/photo").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "img/rain/README").write_bytes(b"what these are")
    _, images = find_images(image_dir)
    assert [image.name for image in images] == ["dog/b.png", "rain/a.png", "rain/photo"]


def test_fatal_folders(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^Must set flag --image_dir\.$"):
        find_images("")
    with pytest.raises(SettingsError, match=r"^Image directory 'nowhere' not found\.$"):
        find_images("nowhere")
    empty = make_folders(tmp_path / "empty", {"a": []})
    with pytest.raises(SettingsError, match=f"^No valid folders of images found at {empty}$"):
        find_images(empty)
    lone = make_folders(tmp_path / "lone", {"a": ["1.png"], "b": []})
    with pytest.raises(SettingsError, match=f"^Only one valid folder of images found at {lone} - multiple classes"):
        find_images(lone)


def test_labels() -> None:
    assert labels_of(["001 - Dog bark", "Gun_shot", "собака", "猫"]) == ["001 dog bark", "gun shot", "собака", "猫"]
    assert label_of("_rain") == " rain"
    with pytest.raises(SettingsError, match="'dog-bark' and 'dog_bark' both give the label 'dog bark'"):
        labels_of(["dog-bark", "dog_bark"])


def test_lists_name_images_in_many_ways(tmp_path: Path) -> None:
    image_dir = make_folders(
        tmp_path / "img", {"a": [f"a{i}.wav.png" for i in range(30)], "b": [f"{i}.png" for i in range(30)]}
    )
    _, images = find_images(image_dir)
    entries = ["a/a0.wav.png", f"{image_dir}/b/7.png", "a3.wav.png", "a4.wav", "./b/9.png", "", "  b/8.png  "]
    (tmp_path / "test.txt").write_text("\n".join(entries))
    names = {"a/a0.wav.png", "b/7.png", "a/a3.wav.png", "a/a4.wav.png", "b/9.png", "b/8.png"}
    assert read_list(str(tmp_path / "test.txt"), image_dir, images) == names


def test_lists_that_cannot_be_right(tmp_path: Path) -> None:
    image_dir = make_folders(tmp_path / "img", {"a": ["0.png", "1.png"], "b": ["0.png", "2.png"]})
    _, images = find_images(image_dir)

    def read(text: str) -> frozenset[str]:
        (tmp_path / "list.txt").write_text(text)
        return read_list(str(tmp_path / "list.txt"), image_dir, images)

    with pytest.raises(SplitError, match=r"'a/7\.png' names no image"):
        read("a/7.png")
    with pytest.raises(SplitError, match=r"'0.png' names 2 images \(a/0.png, b/0.png"):
        read("0.png")
    with pytest.raises(SettingsError, match="is empty"):
        read("\n")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_list(str(tmp_path / "none.txt"), image_dir, images)
