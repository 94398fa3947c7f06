"""What every command line of soundfold shares: one clear line on failure, exit codes, common options.

Exit codes: 0 done; 1 a :class:`~harness.errors.SoundfoldError`, or done with named failures;
2 a misspelt option; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from harness.errors import SoundfoldError

if TYPE_CHECKING:
    import typer

__all__ = ["OneLineParser", "command_app", "guard", "main", "note", "say", "warn"]

_INTERRUPTED = 130


def command_app(*, name: str, help: str) -> typer.Typer:
    """Make a Typer application that answers in plain words.

    Parameters
    ----------
    name : str
        The command as people type it.
    help : str
        One sentence, shown first by ``--help``.
    """
    import typer

    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def main(app: Callable[[], Any]) -> NoReturn:
    """Run a command line and leave with its exit code."""
    sys.exit(guard(lambda: _one_line(app)))


def _one_line(app: Callable[..., Any]) -> Any:
    """Run a Typer application; what it says of a misspelt word becomes one line as well."""
    import typer

    if not isinstance(app, typer.Typer):
        return app()
    try:
        code = app(standalone_mode=False)
        return _interrupted() if code == _INTERRUPTED else code
    except typer.Abort:
        return _interrupted()
    except Exception as error:  # click's, whichever copy of click this typer stands on
        if not hasattr(error, "format_message"):
            raise
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()  # type: ignore[attr-defined]
        else:
            print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)
        return error.exit_code  # type: ignore[attr-defined]


def guard(command: Callable[[], Any]) -> int:
    """Call `command`; turn what a person can mend into one line on stderr and an exit code."""
    try:
        return int(command() or 0)
    except SoundfoldError as error:
        print(f"error: {' '.join(str(error).splitlines())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            return _interrupted()
        raise
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:  # no permission, no space, a file where a folder should be
        if not error.filename or not error.strerror:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1


def _interrupted() -> int:
    print("interrupted: run the same command again to go on where it stopped", file=sys.stderr)
    return _INTERRUPTED


def say(text: str) -> None:
    """Print a result to stdout."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print one line about how far the work is to stderr."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print one line about something odd to stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


class OneLineParser(argparse.ArgumentParser):
    """Errors in one line, without the usage of thirty flags before it; a misspelt flag says what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the command line; see :meth:`argparse.ArgumentParser.parse_args`."""
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return known

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected argument {word!r}; every value follows its flag"
        names = [name.removeprefix("--") for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(word.lstrip("-").split("=", 1)[0].replace("-", "_"), names, n=1)
        meant = f"did you mean --{close[0]}?" if close else "see --help"
        return f"unknown flag {word.split('=', 1)[0]}: {meant}"
