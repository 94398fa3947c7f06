"""Settings: what is refused, and in messages that name what was written."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, PlainValidator, model_validator

from harness.errors import SettingsError
from harness.settings import (
    Count,
    Namer,
    PositiveFloat,
    PositiveInt,
    Settings,
    at_least,
    field_error,
    in_section,
    is_number,
    plain,
)


class Point(Settings):
    """Inside the others."""

    title = "a point"

    x: float = 0.0


class Tried(Settings):
    """One setting of each kind."""

    title = "something tried"

    length: PositiveInt = 3
    gain: PositiveFloat = 1.0
    skip: Count = 0
    offset: Annotated[float, PlainValidator(at_least(-5))] = 0.0
    share: float = Field(default=0.5, gt=0, le=1)
    kind: Literal["even", "flat"] = "even"
    text: str = ""
    flag: bool = False
    names: tuple[str, ...] = ()
    either: str | int = ""
    point: Point = Point()
    path: Path = Path()
    highest: float = 10.0
    lowest: float = 0.0

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.lowest >= self.highest:
            raise field_error("lowest", f"must be below highest={self.highest:g}")
        return self


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"length": 0}, "length", "=0: must be a positive integer"),
    ({"length": 1.5}, "length", "=1.5: must be a positive integer"),
    ({"length": True}, "length", "=True: must be a positive integer"),
    ({"length": "3"}, "length", "='3': must be a positive integer"),
    ({"gain": float("inf")}, "gain", "=inf: must be a number above 0"),
    ({"gain": float("nan")}, "gain", "=nan: must be a number above 0"),
    ({"skip": -1}, "skip", "=-1: must be an integer of 0 or more"),
    ({"skip": 0.5}, "skip", "=0.5: must be an integer of 0 or more"),
    ({"offset": -6}, "offset", "=-6: must be a number of -5 or more"),
    ({"share": 0}, "share", "=0: must be above 0"),
    ({"share": 2}, "share", "=2: must be 1 or less"),
    ({"share": "a"}, "share", "='a': must be a number"),
    ({"kind": "evn"}, "kind", "='evn': did you mean 'even'? available: even, flat"),
    ({"kind": 3}, "kind", "=3: available: even, flat"),
    ({"text": 3}, "text", "=3: must be a text"),
    ({"flag": 1}, "flag", "=1: must be true or false"),
    ({"either": 0.5}, "either", "=0.5: must be a text"),
    ({"lenght": 3}, "lenght", ": something tried has no such setting; did you mean 'length'? available: either, flag"),
    ({"lowest": 20.0}, "lowest", "=20.0: must be below highest=10"),
    ({"highest": -1.0}, "lowest", "=0.0: must be below highest=-1"),
]
NAMERS: dict[str, tuple[Namer, str]] = {
    "python": (plain, "{}"),
    "study": (in_section("convert.fine"), "[convert.fine] {}"),
    "flag": (lambda name: f"--{name}", "--{}"),
}


@pytest.mark.parametrize(("values", "name", "message"), REFUSED, ids=[str(values) for values, *_ in REFUSED])
def test_messages_name_what_was_written(values: dict[str, Any], name: str, message: str) -> None:
    for name_of, written in NAMERS.values():
        with pytest.raises(SettingsError) as refused:
            Tried.read(values, name_of=name_of)
        assert str(refused.value).startswith(written.format(name) + message)
        assert "\n" not in str(refused.value)
    with pytest.raises(SettingsError) as refused:
        Tried(**values)
    assert str(refused.value).startswith(name + message)


def test_settings_within_settings_say_what_they_are() -> None:
    with pytest.raises(SettingsError, match=r"^z: a point has no such setting; available: x$"):
        Tried.read({"point": {"z": 1}})
    with pytest.raises(SettingsError, match=r"^x='y': must be a number$"):
        Tried(point={"x": "y"})


def test_lists() -> None:
    class Listed(Settings):
        numbers: list[float] = Field(default=[0.0], min_length=1)

    for given, message in (
        (3, "=3: must be a list"),
        ([0.5, "x"], "='x': must be a number"),
        ([], r"=\[\]: must not be e"),
    ):
        with pytest.raises(SettingsError, match=f"^numbers{message}"):
            Listed(numbers=given)


def test_a_setting_that_is_missing() -> None:
    class Needs(Settings):
        name_: str

    with pytest.raises(SettingsError, match=r"^\[corpus\] name_: is missing$"):
        Needs.read({}, name_of=in_section("corpus"))


def test_a_class_without_a_title() -> None:
    class Untitled(Settings):
        size: int = 3

    with pytest.raises(SettingsError, match=r"^siez: no such setting; did you mean 'size'"):
        Untitled(siez=3)


def test_values_are_one_type_whatever_was_given() -> None:
    a, b = Tried(length=3.0, gain=2, offset=1), Tried(length=3, gain=2.0, offset=1.0)
    assert a == b
    assert len({a, b, Tried()}) == 2
    assert a.digest() == b.digest() != Tried().digest()
    assert type(a.length) is int
    assert type(a.gain) is type(a.offset) is float


def test_settings_are_frozen_and_replaced_with_checks() -> None:
    tried = Tried()
    with pytest.raises(Exception, match="cannot be changed"):
        tried.length = 4  # type: ignore[misc]
    assert tried.replace(length=4) == Tried(length=4)
    assert tried == Tried()
    with pytest.raises(SettingsError, match=r"^length=0"):
        tried.replace(length=0)
    with pytest.raises(SettingsError, match=r"^lowest=20\.0: must be below highest=10"):
        tried.replace(lowest=20.0)


def test_json_and_pickle() -> None:
    tried = Tried(names=("a", "b"), point=Point(x=2.0), path=Path("x/y"))
    json = tried.to_json()
    assert json["names"] == ["a", "b"]
    assert json["point"] == {"x": 2.0}
    assert json["path"] == "x/y"
    assert list(json) == list(Tried.model_fields)
    assert pickle.loads(pickle.dumps(tried)) == tried


@pytest.mark.parametrize(
    ("value", "answer"), [(0, True), (-1.5, True), (True, False), (float("nan"), False), ("1", False)]
)
def test_numbers(value: object, answer: bool) -> None:
    assert is_number(value) == answer
