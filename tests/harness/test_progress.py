"""A bar on a terminal, silence elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from harness.progress import track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_silent_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter([3, 1, 2]), total=3, what="drawing")) == [3, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_draws_on_a_terminal_and_passes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    items = ["aa", "b", "ccc"]
    assert list(track(items, total=6, what="drawing", size=len)) == items
    assert "drawing" in screen.getvalue()
    assert "6/6" in screen.getvalue()


def test_takes_items_one_at_a_time() -> None:
    taken: list[int] = []

    def numbers() -> object:
        for n in range(3):
            taken.append(n)
            yield n

    passing = track(numbers(), total=3, what="drawing")  # type: ignore[arg-type]
    next(passing)
    assert taken == [0]
