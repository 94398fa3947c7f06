"""Exit codes, and one line for what a person can mend."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from harness import cli
from harness.errors import AudioError, SettingsError


def leaving(code: Any) -> None:
    raise SystemExit(code)


def failing(error: BaseException) -> Any:
    def command() -> None:
        raise error

    return command


def app_that(action: Any) -> Any:
    app = cli.command_app(name="tried", help="A command that is tried.")

    @app.command()
    def first(number: int = 0) -> None:
        action()

    @app.command()
    def second() -> None:
        cli.say("second")

    return app


def test_what_can_be_mended_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guard(failing(AudioError("a.wav: no such file"))) == 1
    assert capsys.readouterr() == ("", "error: a.wav: no such file\n")
    assert cli.guard(failing(SettingsError("broken\nin two\n"))) == 1
    assert capsys.readouterr().err == "error: broken in two\n"


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (failing(KeyboardInterrupt()), lambda: leaving(130)):
        assert cli.guard(command) == 130
        assert capsys.readouterr().err == "interrupted: run the same command again to go on where it stopped\n"


def test_what_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guard(failing(PermissionError(13, "Permission denied", "/root/x.csv"))) == 1
    assert capsys.readouterr() == ("", "error: /root/x.csv: Permission denied\n")


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.guard(failing(ZeroDivisionError()))


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (True, 1)])
def test_what_a_command_returns_is_the_code(returned: Any, code: int) -> None:
    assert cli.guard(lambda: returned) == code
    with pytest.raises(SystemExit) as left:
        cli.main(lambda: returned)
    assert left.value.code == code


@pytest.mark.parametrize(
    ("arguments", "action", "code", "said"),
    [
        (["first"], lambda: None, 0, ""),
        (["first"], failing(AudioError("a.wav: empty")), 1, "error: a.wav: empty\n"),
        (["first", "--numbr", "3"], lambda: None, 2, "No such option"),
        (["first", "--number", "x"], lambda: None, 2, "--number"),
    ],
)
def test_the_whole_way(
    arguments: list[str],
    action: Any,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["tried", *arguments])
    with pytest.raises(SystemExit) as left:
        cli.main(app_that(action))
    assert left.value.code == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == (1 if code else 0), "one clear line"
    assert err.startswith("error: " if code else "")


def test_interrupted_inside_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tried", "first"])
    with pytest.raises(SystemExit) as left:
        cli.main(app_that(failing(KeyboardInterrupt())))
    assert left.value.code == 130
    assert "interrupted: run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tried", flag])
    with pytest.raises(SystemExit) as left:
        cli.main(app_that(lambda: None))
    assert left.value.code == 0
    assert "A command that is tried." in capsys.readouterr().out


def test_results_and_oddities_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    cli.say("a result")
    cli.warn("an oddity")
    assert capsys.readouterr() == ("a result\n", "warning: an oddity\n")
