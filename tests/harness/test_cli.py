"""Exit codes, and one line for what a person can fix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import typer
from plugins.support import ENCODING_FILE, MERGE_FILE, loaded

from converter.registry import ENCODINGS
from harness import cli, tables
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


def test_what_can_be_fixed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guard(failing(AudioError("a.wav: no such file"))) == 1
    assert capsys.readouterr() == ("", "error: a.wav: no such file\n")
    assert cli.guard(failing(SettingsError("broken\nin two\n"))) == 1
    assert capsys.readouterr().err == "error: broken in two\n"


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (failing(KeyboardInterrupt()), lambda: leaving(130)):
        assert cli.guard(command) == 130
        assert capsys.readouterr().err == "interrupted: run the same command again to go on where it stopped\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others")
def test_an_interrupt_that_native_code_loses_comes_again() -> None:
    code = """
        import ctypes, os, signal, time
        from harness.cli import main

        signal.signal(signal.SIGINT, signal.default_int_handler)  # where what runs the tests does not take it

        def called() -> None:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0)

        def app() -> None:
            ctypes.CFUNCTYPE(None)(called)()
            time.sleep(30)
            print("went on")

        main(app)
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=25, check=False)
    said = "interrupted: run the same command again to go on where it stopped\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", said)


def test_what_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.guard(failing(PermissionError(13, "Permission denied", "/root/x.csv"))) == 1
    assert capsys.readouterr() == ("", "error: /root/x.csv: Permission denied\n")


def test_a_defect_shows_its_traceback() -> None:
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


def test_results_and_warnings_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    cli.say("a result")
    cli.warn("a warning")
    assert capsys.readouterr() == ("a result\n", "warning: a warning\n")


# ---- options and endings that the commands share


def run(app: typer.Typer, *arguments: str) -> int:
    """The exit code of a command."""
    try:
        return cli.guard(lambda: app(list(arguments), standalone_mode=False))
    except SystemExit as leaving:
        return int(leaving.code or 0)


@pytest.mark.parametrize(
    ("n", "what", "text"),
    [(0, "clip", "0 clips"), (1, "clip", "1 clip"), (2, "class", "2 classes"), (1, "class", "1 class")],
)
def test_a_number_with_its_noun(n: int, what: str, text: str) -> None:
    assert cli.count(n, what) == text


@pytest.mark.parametrize(("n", "said"), [(1, "1 clip"), (7, "7 clips")])
def test_failures_are_named_and_leave_with_1(n: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"clip_id": f"{i}.wav", "path": "p", "step": "convert", "reason": f"why {i}"} for i in range(n)]
    with pytest.raises(typer.Exit) as left:
        cli.warn_of_failures(tables.frame(rows, tables.FAILURES), Path("out"), what="drawn")
    assert left.value.exit_code == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[:-1] == [f"warning: {i}.wav: why {i}" for i in range(min(n, 5))]
    assert lines[-1] == f"warning: {said} could not be drawn; see {Path('out') / 'failures.csv'}"


def test_without_failures_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cli.warn_of_failures(tables.frame([], tables.FAILURES), Path("out"), what="drawn")
    assert capsys.readouterr() == ("", "")


def app_with_plugins(seen: list[str]) -> typer.Typer:
    app = cli.command_app(name="tried", help="A command that is tried.")

    @app.command()
    def first(
        plugin: cli.PluginFiles = None,
        list_: bool = typer.Option(False, "--list", callback=cli.list_of(lambda: ENCODINGS), is_eager=True),
    ) -> None:
        seen.extend(ENCODINGS)

    return app


def test_plugin_files_are_loaded_before_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    with loaded():
        assert run(app_with_plugins(seen), "--plugin", str(ENCODING_FILE), "--plugin", str(MERGE_FILE)) == 0
        assert "loudness" in seen
        assert run(app_with_plugins([]), "--plugin", str(ENCODING_FILE), "--list") == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == list(ENCODINGS.names())
        assert all(ENCODINGS.description(line.split()[0]) in line for line in lines)
    assert run(app_with_plugins(seen), "--plugin", "none.py") == 1
    assert capsys.readouterr().err == "error: plugin 'none.py': no such file; expected a Python file\n"
