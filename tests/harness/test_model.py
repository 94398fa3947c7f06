"""A model's card comes back as it was written."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.errors import ModuleError
from harness.files import read_json, write_json
from harness.model import CARD, LABELS, ModelCard, check_files, is_whole, read_card, write_card

CARD_OF_ALL = ModelCard(
    classes=["dog bark", "siren", "café"],
    takes="image",
    module={
        "handle": "builtin:scattering",
        "digest": "ab",
        "takes": "image",
        "height": 224,
        "width": 224,
        "value_range": [0.0, 1.0],
        "sample_rate": 0,
        "features": 6936,
    },
    recipe={"encoding": "gray", "spec": {"n_mels": 128}},
    training={"fold": "3", "seed": 0},
    note="chosen among 8",
)


def test_round_trip(tmp_path: Path) -> None:
    write_card(tmp_path / "model", CARD_OF_ALL)
    found = read_card(tmp_path / "model")
    assert found == replace(CARD_OF_ALL, files=found.files)
    assert list(found.files) == [LABELS]
    assert (tmp_path / "model" / LABELS).read_text(encoding="utf-8") == "dog bark\nsiren\ncafé\n"
    assert CARD_OF_ALL.versions["python"]
    assert list(read_json(tmp_path / "model" / CARD)) == [
        "schema", "classes", "takes", "module", "picture", "training", "note", "versions", "longest_s",
        "files", "digest",
    ]  # fmt: skip


@pytest.mark.parametrize("damaged", ["saved_model.pb", "variables/index", LABELS, CARD])
def test_a_damaged_folder_is_known(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "variables/index"):
        (tmp_path / name).write_bytes(b"weights")
    write_card(tmp_path, CARD_OF_ALL)
    card = read_card(tmp_path)
    check_files(tmp_path, card)
    assert is_whole(tmp_path)
    (tmp_path / "notes.txt").write_text("of a person")
    assert is_whole(tmp_path)
    data = (tmp_path / damaged).read_bytes()
    (tmp_path / damaged).write_bytes(
        data.replace(b"weights", b"weightz").replace(b"siren", b"sirex").replace(b"among 8", b"among 9")
    )
    assert not is_whole(tmp_path)
    if damaged != CARD:  # a card may be edited by hand
        with pytest.raises(ModuleError, match=f"{damaged}: has changed since the model was written"):
            check_files(tmp_path, card)
        (tmp_path / damaged).unlink()
        with pytest.raises(ModuleError, match=f"{damaged}: is missing"):
            check_files(tmp_path, card)
    check_files(tmp_path, CARD_OF_ALL)  # as of older versions


def test_no_card(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match=r"not a model folder, no model\.json in it"):
        read_card(tmp_path)


def test_another_schema(tmp_path: Path) -> None:
    write_card(tmp_path, CARD_OF_ALL)
    write_json(tmp_path / CARD, {**read_json(tmp_path / CARD), "schema": 99})
    with pytest.raises(ModuleError, match=r"model\.json: schema 99, expected 1; written by another version"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1], "schema None, expected 1"),
        ({"schema": 1, "takes": "image"}, "classes"),
        ({"schema": 1, **asdict(CARD_OF_ALL), "new": 2}, "new"),
    ],
)
def test_a_card_that_is_none(tmp_path: Path, value: object, said: str) -> None:
    write_json(tmp_path / CARD, value)
    with pytest.raises(ModuleError, match=rf"model\.json: .*{said}"):
        read_card(tmp_path)


def test_a_broken_card(tmp_path: Path) -> None:
    (tmp_path / CARD).write_text("{")
    with pytest.raises(ModuleError, match=r"model\.json: not readable"):
        read_card(tmp_path)
