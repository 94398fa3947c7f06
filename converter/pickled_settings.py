"""The pickled settings file (``.SpecVar``) of RealtimeAudioClassification, read without running anything in it.

A pickle is a program for a small machine, and Python's own machine can be made to call any function. The one here knows
the instructions that make one dictionary of numbers and strings, and stops at every other.
"""

from __future__ import annotations

import pickletools
from typing import Any

from harness.errors import SettingsError

__all__ = ["is_pickle", "read_pickled_settings"]

_FIRST_BYTES = (b"\x80", b"(d", b"}")
_VALUES = frozenset(
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT"
    " STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE".split()
)
_PUT = frozenset("PUT BINPUT LONG_BINPUT".split())
_GET = frozenset("GET BINGET LONG_BINGET".split())
_MARK = object()


def is_pickle(data: bytes) -> bool:
    """Whether a file begins as a pickled dictionary does, in any of pickle's protocols."""
    return data.startswith(_FIRST_BYTES)


def read_pickled_settings(data: bytes, *, name: str) -> dict[str, int | float | str]:
    """Read a pickled dictionary of numbers and strings.

    Parameters
    ----------
    data : bytes
        The pickle, of any protocol.
    name : str
        What a message calls it.

    Raises
    ------
    SettingsError
        Damaged, or with anything in it that is not a number or a string; nothing of it is run.

    Examples
    --------
    >>> import pickle
    >>> read_pickled_settings(pickle.dumps({"N_FFT": 1024}), name="old.SpecVar")
    {'N_FFT': 1024}
    """
    machine = _Machine(name)
    try:
        for instruction, argument, _ in pickletools.genops(data):
            machine.run(instruction.name, argument)
        (made,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:100]
        raise SettingsError(f"{name}: not a pickled dictionary that can be read ({reason})") from None
    if not isinstance(made, dict):
        raise SettingsError(f"{name}: its pickle holds {type(made).__name__}, expected a dictionary of the eight keys")
    return made


class _Machine:
    """The stack and the memo of a pickle that makes one dictionary of numbers and strings."""

    def __init__(self, name: str) -> None:
        self.stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._name = name
        self._made = False

    def run(self, instruction: str, argument: Any) -> None:
        """Carry out one instruction."""
        if instruction in _VALUES:
            self.stack.append(argument)
        elif instruction in _PUT:
            self._memo[argument] = self.stack[-1]
        elif instruction == "MEMOIZE":
            self._memo[len(self._memo)] = self.stack[-1]
        elif instruction in _GET:
            self.stack.append(self._memo[argument])
        elif instruction == "MARK":
            self.stack.append(_MARK)
        elif instruction in ("EMPTY_DICT", "DICT"):
            self._begin(instruction)
        elif instruction == "SETITEM":
            self._set(self.stack[-2:], begin=len(self.stack) - 2)
        elif instruction == "SETITEMS":
            mark = self._last_mark()
            self._set(self.stack[mark + 1 :], begin=mark)
        elif instruction not in ("PROTO", "FRAME", "STOP"):
            raise SettingsError(
                f"{self._name}: its pickle holds more than numbers and strings ({instruction}); nothing of it was run"
            )

    def _begin(self, instruction: str) -> None:
        if self._made:
            raise SettingsError(f"{self._name}: its pickle holds more than one dictionary; nothing of it was run")
        self._made = True
        if instruction == "EMPTY_DICT":
            self.stack.append({})
            return
        mark = self._last_mark()
        items = self.stack[mark + 1 :]
        self.stack[mark:] = [{}]
        self._set(items, begin=len(self.stack))

    def _set(self, items: list[Any], *, begin: int) -> None:
        """Put items, key by value, into the dictionary below `begin`, and take them from the stack."""
        del self.stack[begin:]
        target = self.stack[-1]
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str) or not isinstance(value, (int, float, str)) or _is_huge(value):
                raise SettingsError(f"{self._name}: its pickle holds something else than numbers by name")
            target[key] = value

    def _last_mark(self) -> int:
        return max(place for place, each in enumerate(self.stack) if each is _MARK)


def _is_huge(value: float | str) -> bool:
    """Whether a value is a whole number of more than 64 bits, which Python may refuse to print."""
    return isinstance(value, int) and value.bit_length() > 64
