"""Settings: frozen values that are checked when they are made, and one way to say what is wrong with them.

Encodings, merge methods, module handles, heads, flags and the sections of a study are all classes on
:class:`Settings`. A message names what the user wrote: ``fmax`` in Python, ``[convert] fmax`` in a study,
``--set fmax`` or ``--learning_rate`` on a command line; :meth:`Settings.read` takes a function that says which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from numbers import Real
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from harness.errors import SettingsError, did_you_mean
from harness.files import digest_json

__all__ = [
    "Check",
    "Count",
    "Namer",
    "PositiveFloat",
    "PositiveInt",
    "Settings",
    "at_least",
    "field_error",
    "in_section",
    "is_number",
    "plain",
    "positive",
    "positive_int",
]

_LARGEST = 2**63 - 1  # that other programs, and tables, bear

Check = Callable[[Any], Any]
Namer = Callable[[str], str]


def plain(name: str) -> str:
    """The name of a setting as Python code has it: as it is."""
    return name


def in_section(section: str) -> Namer:
    """Name settings as a study has them.

    Examples
    --------
    >>> in_section("convert")("fmax")
    '[convert] fmax'
    """
    return lambda name: f"[{section}] {name}"


def is_number(value: Any) -> bool:
    """Whether a value is a finite number, and not true or false."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    return abs(value) <= _LARGEST if isinstance(value, int) else math.isfinite(value)


def positive_int(value: Any) -> int:
    """Check a whole number above 0; 2048.0 becomes 2048."""
    if not is_number(value) or value < 1 or value % 1:
        raise ValueError("must be a positive integer")
    return int(value)


def positive(value: Any) -> float:
    """Check a finite number above 0."""
    if not is_number(value) or value <= 0:
        raise ValueError("must be a number above 0")
    return float(value)


def at_least(lowest: float, *, whole: bool = False) -> Check:
    """Make a check for a finite number not below `lowest`."""

    def check(value: Any) -> float:
        if not is_number(value) or value < lowest or (whole and value % 1):
            raise ValueError(f"must be {'an integer' if whole else 'a number'} of {lowest:g} or more")
        return int(value) if whole else float(value)

    return check


PositiveInt = Annotated[int, PlainValidator(positive_int)]
PositiveFloat = Annotated[float, PlainValidator(positive)]
Count = Annotated[int, PlainValidator(at_least(0, whole=True))]


def field_error(name: str, message: str) -> PydanticCustomError:
    """An error about one setting, to be raised by a validator that looks at several.

    Parameters
    ----------
    name : str
        The setting that is wrong.
    message : str
        What was expected, without the name and the value.
    """
    return PydanticCustomError("field", "{message}", {"name": name, "message": message})


class Settings(BaseModel):
    """Base of all settings: immutable, hashable, without unknown keys.

    Raises
    ------
    SettingsError
        An unknown setting (with what may have been meant), or a value that is out of range or of the wrong kind.

    Examples
    --------
    >>> class Size(Settings):
    ...     height: PositiveInt = 224
    >>> Size(height=100.0).to_json()
    {'height': 100}
    >>> Size.read({"hight": 3}, name_of=in_section("convert"))
    Traceback (most recent call last):
    ...
    harness.errors.SettingsError: [convert] hight: no such setting; did you mean 'height'? available: height
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )
    title: ClassVar[str] = ""
    """What the settings are of, for messages: ``encoding 'gray'``."""

    def __init__(self, /, *unnamed: Any, **values: Any) -> None:
        """Check all values."""
        if unnamed:
            first = next(iter(type(self).model_fields), "name")
            text = f"{type(self).__name__}({unnamed[0]!r}): settings are given by name"
            raise SettingsError(f"{text}, as in {type(self).__name__}({first}=...)")
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(describe_error(_most_precise(error.errors()), type(self), plain)) from None

    @classmethod
    def read(cls, values: Mapping[str, Any], *, name_of: Namer = plain) -> Self:
        """Make settings from a table as a person wrote it.

        Parameters
        ----------
        values : mapping
            By the names of the settings.
        name_of : callable
            Gives a setting's name as the person wrote it, for messages.

        Raises
        ------
        SettingsError
            As for the class itself.
        """
        try:
            return cls.__pydantic_validator__.validate_python(dict(values), self_instance=cls.__new__(cls))
        except ValidationError as error:
            raise SettingsError(describe_error(_most_precise(error.errors()), cls, name_of)) from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse: settings do not change."""
        raise SettingsError(f"{name}={value!r}: settings cannot be changed; make new ones by replace({name}={value!r})")

    def replace(self, **changes: Any) -> Self:
        """The same settings with some changed, checked."""
        return type(self)(**{**dict(self), **changes})

    def to_json(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return {name: _as_json(value) for name, value in self}

    def digest(self) -> str:
        """sha256 over all settings, 64 hex digits."""
        try:
            return _digest(self)
        except TypeError:  # a field that cannot be hashed, such as a list
            return digest_json(self.to_json())


def _as_json(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_json()
    if isinstance(value, (tuple, list)):
        return [_as_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _as_json(each) for name, each in value.items()}
    return str(value) if isinstance(value, Path) else value


@lru_cache(maxsize=256)
def _digest(settings: Settings) -> str:
    return digest_json(settings.to_json())


def _most_precise(errors: list[ErrorDetails]) -> ErrorDetails:
    """Of the errors of the first wrong setting the deepest: what is wrong in a table, not that it is no text."""
    own = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    return max(own, key=lambda error: len(error["loc"]))


def describe_error(error: ErrorDetails, cls: type[Settings], name_of: Namer) -> str:
    """One line about one of pydantic's errors: the setting as it was written, its value, what was expected."""
    context = error.get("ctx", {})
    where = [part for part in error["loc"] if isinstance(part, str) and not _is_union_member(part)]
    name = str(context.get("name") or ".".join(where))
    if error["type"] == "extra_forbidden":
        subject = f"{cls.title} has no such setting" if cls.title else "no such setting"
        return f"{name_of(name)}: {subject}; {did_you_mean(name, cls.model_fields)}"
    if error["type"] == "missing":
        return f"{name_of(name)}: is missing"
    given = error["input"]
    if "name" in context and isinstance(given, (Mapping, Settings)):
        given = dict(given).get(name, _default(cls, name))
    return f"{name_of(name)}={given!r}: {_expected(error, context)}"


def _default(cls: type[Settings], name: str) -> Any:
    return cls.model_fields[name].get_default(call_default_factory=True) if name in cls.model_fields else None


_EXPECTED = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "too_short": "must not be empty",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
}


def _expected(error: ErrorDetails, context: Mapping[str, Any]) -> str:
    if error["type"] == "literal_error":
        return did_you_mean(str(error["input"]), re.findall(r"'([^']*)'", str(context["expected"])))
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] in _EXPECTED:
        return _EXPECTED[error["type"]].format(**context)
    return error["msg"] if error["type"] == "field" else error["msg"][:1].lower() + error["msg"][1:]


def _is_union_member(part: str) -> bool:
    """Whether part of pydantic's location names a member of a union rather than a setting."""
    return part in {"str", "int", "float", "bool"} or bool(re.match(r"(dict|list|tuple|function-\w+)\[", part))
