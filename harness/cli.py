"""What every command line of soundfold shares: one clear line on failure, exit codes, options that several have.

Exit codes: 0 done; 1 a :class:`~harness.errors.SoundfoldError`, or done with named failures;
2 a misspelt option; 130 interrupted (SIGINT), 143 ended (SIGTERM).
"""

from __future__ import annotations

import argparse
import errno
import gc
import io
import os
import signal
import sys
import warnings
from _thread import interrupt_main
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from threading import Timer, main_thread
from typing import Annotated, Any, NoReturn

import typer

from harness.decoder_messages import DecoderWarning
from harness.errors import SettingsError, SoundfoldError
from harness.installation import check_packages
from harness.interpreter import set_up_interpreter
from harness.registry import Registry, load_plugins

__all__ = [
    "NoGpu",
    "NoMixedPrecision",
    "OneLineParser",
    "PluginFiles",
    "RenamedSharedGroups",
    "SchedulerOption",
    "command_app",
    "count",
    "guard",
    "list_of",
    "main",
    "note",
    "option_words",
    "print_again",
    "recorded_lines",
    "say",
    "warn",
    "warn_of_failures",
]

_INTERRUPTED = 130
_ENDED = 143  # by SIGTERM
_AGAIN_S = 0.05
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO)


def command_app(*, name: str, help: str) -> typer.Typer:
    """Make a Typer application that answers in plain words.

    Parameters
    ----------
    name : str
        The command as people type it.
    help : str
        One sentence, shown first by ``--help``.
    """
    return typer.Typer(
        name=name,
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _load(files: list[Path] | None) -> list[Path] | None:
    """Load the files as soon as they are read, so that other options may name what is in them."""
    load_plugins(files or ())
    return files


PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", callback=_load, is_eager=True, help="A Python file with extensions; repeat for more."),
]
"""The option of every command that takes encodings, corpora, merge methods or modules."""


def _renamed(given: bool) -> None:
    if given:
        raise SettingsError("--allow-shared-groups: is now --shared-groups allow")


RenamedSharedGroups = Annotated[bool, typer.Option("--allow-shared-groups", hidden=True, callback=_renamed)]
"""An option of earlier versions, which says how it is written now."""


SchedulerOption = Annotated[
    str,
    typer.Option(
        "--scheduler",
        help="Work on a Dask cluster: tcp://host:8786, or local:4 for four processes here. --jobs then does not count.",
    ),
]
"""The option of every command that can send its work to a cluster."""


def _off(variable: str) -> Callable[[bool], bool]:
    """A callback that switches something off for this process and those that it starts."""

    def switch(given: bool) -> bool:
        if given:
            os.environ[variable] = "off"
        return given

    return switch


NoGpu = Annotated[
    bool, typer.Option("--no-gpu", callback=_off("SOUNDFOLD_GPU"), is_eager=True, help="Run modules on the processor.")
]
NoMixedPrecision = Annotated[
    bool,
    typer.Option(
        "--no-mixed-precision",
        callback=_off("SOUNDFOLD_MIXED_PRECISION"),
        is_eager=True,
        help="On a GPU, too, compute feature vectors in single precision.",
    ),
]
"""Options of commands that run modules; the variables in the environment do the same for all commands."""


def option_words(name: str, value: str | int) -> str:
    """A setting with its value as a command line has it.

    Examples
    --------
    >>> option_words("shared_groups", "drop")
    '--shared-groups drop'
    """
    return f"--{name.replace('_', '-')} {value}"


def list_of(registry: Callable[[], Registry[Any]]) -> Callable[[bool], None]:
    """Make the callback of a flag ``--list``: it prints the names of a registry and leaves.

    Parameters
    ----------
    registry : callable
        Gives the registry; called only where the flag is given.
    """

    def callback(wanted: bool) -> None:
        if wanted:
            known = registry()
            for name in known.names():
                try:
                    text = known.description(name)
                except SoundfoldError as error:  # an installed package that is broken
                    text = f"not available: {error}"
                say(f"{name:10}  {text}")
            raise typer.Exit

    return callback


def main(app: Callable[[], Any]) -> NoReturn:
    """Run a command line and leave with its exit code."""

    ended = []

    def end(number: int, frame: object) -> NoReturn:
        """As Ctrl-C: what is half done is tidied up."""
        ended.append(number)
        raise KeyboardInterrupt

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        """What a decoder has said of a file in one line, without the line of code that read it."""
        if issubclass(category, DecoderWarning):
            warn(str(message))
        else:
            usual(message, category, *where, **more)

    def checked() -> Any:
        check_packages()
        return _one_line(app)

    set_up_interpreter()
    usual, warnings.showwarning = warnings.showwarning, show
    signal.signal(signal.SIGTERM, end)
    sys.unraisablehook = _interrupt_again
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that are not UTF-8
    code = guard(checked)
    if not _written():
        code = code or 1
    if "harness.parallel" in sys.modules:
        sys.modules["harness.parallel"].end_idle_workers()
    gc.freeze()  # or Python looks for garbage in all of TensorFlow's objects, up to two seconds, before it leaves
    sys.exit(_ENDED if ended else code)


def _interrupt_again(lost: sys.UnraisableHookArgs) -> None:
    """Have an interrupt that came in a function which native code called, and was lost there, come once more."""
    if issubclass(lost.exc_type, KeyboardInterrupt):
        Timer(_AGAIN_S, _interrupt).start()
    else:
        sys.__unraisablehook__(lost)


def _interrupt() -> None:
    """Interrupt the main thread, also where it waits."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()


def _one_line(app: Callable[..., Any]) -> Any:
    """Run a Typer application; what it says of a misspelt word becomes one line as well."""
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
    """Call `command`; turn what a person can fix into one line on stderr and an exit code."""
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
    except BrokenPipeError:  # who read it, as head does, has seen enough
        _written()
        return 1
    except OSError as error:  # no permission, no space, a file where a folder should be
        if not error.strerror:
            raise
        where = error.filename or ("standard output" if error.errno in _FULL else "")  # who writes files names them
        print("error: " + " ".join(f"{where}{': ' if where else ''}{error.strerror}".splitlines()), file=sys.stderr)
        return 1


def _written() -> bool:
    """Whether all that was printed could be written; else nothing more is, so that Python can leave without a word."""
    try:
        sys.stdout.flush()
        return True
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False


def _interrupted() -> int:
    print("interrupted: run the same command again to go on where it stopped", file=sys.stderr)
    return _INTERRUPTED


_RECORDS: list[list[tuple[str, str]]] = []
"""Where lines are recorded at the moment."""


@contextmanager
def recorded_lines() -> Iterator[list[tuple[str, str]]]:
    """What :func:`say` and :func:`warn` print meanwhile, as the name of the function and its text."""
    lines: list[tuple[str, str]] = []
    _RECORDS.append(lines)
    try:
        yield lines
    finally:
        _RECORDS.remove(lines)


def print_again(lines: Iterable[tuple[str, str]]) -> None:
    """Print lines that were recorded."""
    for how, text in lines:
        (warn if how == "warn" else say)(text)


def say(text: str) -> None:
    """Print a result to stdout."""
    print(text, flush=True)
    _record("say", text)


def note(text: str) -> None:
    """Print one line about how far the work is to stderr."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print one line about something odd to stderr."""
    print(f"warning: {text}", file=sys.stderr, flush=True)
    _record("warn", text)


def _record(how: str, text: str) -> None:
    for lines in _RECORDS:
        lines.append((how, text))


def count(n: int, what: str) -> str:
    """A number with its noun.

    Examples
    --------
    >>> count(1, "fold"), count(2, "class")
    ('1 fold', '2 classes')
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}{'es' if what.endswith('s') else 's'}"


def warn_of_failures(failures: Any, folder: Path, *, what: str, noun: str = "clip") -> None:
    """Name the first failures, say how many there are, and leave with exit code 1; nothing where there are none.

    Parameters
    ----------
    failures : DataFrame
        As `harness.tables.FAILURES`.
    folder : Path
        Where ``failures.csv`` lies.
    what : str
        What could not be done with the clips: ``drawn``.
    noun : str
        What has failed, where these are not clips.
    """
    if not len(failures):
        return
    rows: Iterable[tuple[str, str]] = failures[["clip_id", "reason"]].head(5).itertuples(index=False)
    for clip_id, reason in rows:
        warn(f"{clip_id}: {reason}")
    warn(f"{count(len(failures), noun)} could not be {what}; see {folder / 'failures.csv'}")
    raise typer.Exit(1)


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
