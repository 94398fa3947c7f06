"""How images were drawn, as run.json says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import TableError
from harness.recipes import CONVERT, MERGE, Recipes, read_recipes, record_recipes

BOTH = Recipes(
    encodings={"gray": {"n_mels": 3}, "wave": {}},
    merges={"pair": {"how": "stack"}, "nest": {"how": "blend"}, "lost": {"how": "blend"}},
    partners={"pair": ("gray", "wave"), "nest": ("pair", "gray"), "lost": ("none",)},
)
GRAY = {"encoding": "gray", "spec": {"n_mels": 3}}
PAIR = {"merge": "pair", "spec": {"how": "stack"}, "of": {"gray": GRAY, "wave": {"encoding": "wave", "spec": {}}}}


def test_an_encoding_a_merge_a_merge_of_a_merge() -> None:
    assert BOTH.recipe("gray") == GRAY
    assert BOTH.recipe("pair") == PAIR
    assert BOTH.recipe("nest") == {"merge": "nest", "spec": {"how": "blend"}, "of": {"pair": PAIR, "gray": GRAY}}
    assert BOTH.recipe("other") is None


def test_a_merge_of_something_unknown_is_named() -> None:
    with pytest.raises(TableError, match=r"^merge 'lost': run\.json does not say how its partner 'none' was drawn"):
        BOTH.recipe("lost")


def test_some_of_them_and_both_together() -> None:
    some = BOTH.only({"gray", "pair"})
    assert some == Recipes({"gray": {"n_mels": 3}}, {"pair": {"how": "stack"}}, {"pair": ("gray", "wave")})
    newer = Recipes(encodings={"gray": {"n_mels": 4}})
    assert (some | newer).encodings == {"gray": {"n_mels": 4}}
    assert (newer | some).encodings == {"gray": {"n_mels": 3}}
    assert (some | newer).partners == some.partners
    assert (Recipes() | BOTH) == BOTH


def test_they_come_back_from_a_folder(tmp_path: Path) -> None:
    assert read_recipes(tmp_path) == Recipes()
    record_recipes(tmp_path, CONVERT, BOTH, inputs={}, started=0.0)
    assert read_recipes(tmp_path) == Recipes(encodings=BOTH.encodings)
    record_recipes(tmp_path, MERGE, BOTH, inputs={}, started=0.0)
    assert read_recipes(tmp_path) == Recipes(
        BOTH.encodings, BOTH.merges, {n: list(p) for n, p in BOTH.partners.items()}
    )
