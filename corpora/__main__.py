"""``python -m corpora``: list the corpora, scan one into a clips table, make the demo, fill class folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli import command_app, main, say, warn
from harness.errors import SettingsError, TableError

if TYPE_CHECKING:
    import pandas as pd

app = command_app(name="corpora", help="What sounds there are: read a corpus into a clips table.")

Classes = Annotated[
    list[str] | None, typer.Option(help="A class that is wanted; again, or with commas, for more. Default: all.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="For csv: the CSV's name of a column, as path=file; repeat."),
]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first clip that fails.")]


@app.command()
def scan(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus; see `list`.")],
    root: Annotated[str, typer.Argument(help="Its folder; for csv the CSV file; may be left out for demo.")] = "",
    *,
    out: Annotated[Path, typer.Option(help="The clips table to write.")],
    pattern: Annotated[
        str, typer.Option(help="Regular expression on the path, with (?P<fold>), (?P<group>) or (?P<label>).")
    ] = "",
    classes: Classes = None,
    column: Columns = None,
    subset: Annotated[str, typer.Option(help="A named part of the corpus, as esc10 of esc50.")] = "",
    folds: Annotated[
        int, typer.Option(help="Assign so many folds by groups; 0: the corpus's own, or 5 where it has none.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="For folds that are assigned, and for demo.")] = 0,
    allow_shared_groups: Annotated[
        bool, typer.Option("--allow-shared-groups", help="Go on although a group spans folds: the figures will leak.")
    ] = False,
    strict: Strict = False,
) -> None:
    """Write the clips table of a corpus, and say what is in it."""
    import time

    from corpora import load, missing_files, remarks
    from harness.tables import CLIPS, write

    started = time.monotonic()
    wanted = [name.strip() for given in classes or () for name in given.split(",") if name.strip()]
    columns = _pairs(column or ())
    told: dict[str, Any] = {"pattern": pattern, "classes": wanted, "columns": columns, "subset": subset}
    told |= {"folds": folds, "seed": seed, "allow_shared_groups": allow_shared_groups}
    clips = load(corpus, root, **told)
    missing = missing_files(clips)
    if missing and strict:
        raise TableError(f"{missing[0]['path']}: no such file (clip {missing[0]['clip_id']!r})")
    there = clips[~clips["clip_id"].isin([row["clip_id"] for row in missing])]
    write(there, out, CLIPS)
    _note_failures(missing, out.parent, step="corpus")
    _record(out.parent, corpus, root, told, started)
    for line in remarks(there):
        warn(line)
    if allow_shared_groups:
        _warn_of_leaks(there)
    say(f"{out}: {_summary(there)}")
    _leave(missing, out.parent, "listed by the corpus: not there")


@app.command("list")
def list_() -> None:
    """Name every corpus, its licence, its folds and what its groups are."""
    from corpora import available, card

    cards = {name: card(name) for name in available()}
    header = ("name", "title", "licence", "folds", "group")
    say(_aligned([header, *((name, c.title, c.licence, c.folds, c.group) for name, c in cards.items())]))


@app.command("make-demo")
def make_demo(
    out: Annotated[Path, typer.Option(help="The folder to fill.")],
    seed: Annotated[int, typer.Option(help="Another seed, other sounds of the same kinds.")] = 0,
) -> None:
    """Make the demo corpus: 300 short sounds of 10 kinds, for listening and for trying things out."""
    import time

    from corpora import load
    from corpora.datasets.demo import VERSION
    from harness.record import record_step

    started = time.monotonic()
    clips = load("demo", out, seed=seed)
    record_step(out, "make-demo", spec={"version": VERSION, "seed": seed}, seed=seed, started=started)
    say(f"{out}: {_summary(clips)}")


@app.command()
def arrange(
    clips: Annotated[Path, typer.Option(help="A clips table, as `scan` writes it.")],
    out: Annotated[Path, typer.Option(help="The folder to fill with class folders.")],
    strict: Strict = False,
) -> None:
    """Lay the clips of a table out in class folders: links to whole files, wavs of parts."""
    import time

    from corpora import arrange as lay_out
    from harness.files import digest_file
    from harness.record import record_step
    from harness.tables import CLIPS, read

    started = time.monotonic()
    table = read(clips, CLIPS)
    base = clips.resolve().parent
    table["path"] = [str(base / path) for path in table["path"]]
    failed = lay_out(table, out, strict=strict)
    _note_failures(failed, out, step="arrange")
    inputs = {clips.name: digest_file(clips)}
    record_step(out, "arrange", spec={"clips": str(clips)}, inputs=inputs, started=started)
    say(f"{out}: {len(table) - len(failed)} clips in {table['label'].nunique()} class folders")
    _leave(failed, out, "could not be laid out")


def run() -> None:
    """Entry point of the installed command."""
    main(app)


def _pairs(given: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise SettingsError(f"--column {text!r}: expected OURS=THEIRS, as path=file")
        pairs[ours.strip()] = theirs.strip()
    return pairs


def _record(folder: Path, corpus: str, root: str, told: dict[str, Any], started: float) -> None:
    from corpora import card
    from harness.files import digest_file
    from harness.record import record_step

    read = [Path(root)] if Path(root).is_file() else [Path(root) / name for name in card(corpus).metadata]
    record_step(
        folder,
        "corpus",
        spec={"name": corpus, "root": root, **told},
        inputs={path.name: digest_file(path) for path in read if path.is_file()},
        seed=told["seed"],
        started=started,
    )


def _note_failures(rows: list[dict[str, Any]], folder: Path, *, step: str) -> None:
    """Put a step's failures into the folder's ``failures.csv`` in place of its earlier ones."""
    from harness.tables import FAILURES, frame, read, write

    path = folder / "failures.csv"
    kept = read(path, FAILURES) if path.is_file() else frame([], FAILURES)
    kept = kept[kept["step"] != step]
    if rows or len(kept):
        write(frame([*kept.to_dict("records"), *rows], FAILURES), path, FAILURES)
    else:
        path.unlink(missing_ok=True)


def _leave(failed: list[dict[str, Any]], folder: Path, what: str) -> None:
    """Say how many clips failed and leave with 1, if any did."""
    if failed:
        warn(f"{_counted(len(failed), 'clip')} {what}; see {folder / 'failures.csv'}")
        raise typer.Exit(1)


def _warn_of_leaks(clips: pd.DataFrame) -> None:
    from harness.errors import SplitError
    from harness.protocol import check_groups

    try:
        check_groups(clips["fold"].tolist(), clips["group"].tolist())
    except SplitError as error:
        warn(f"allowed, so figures will be too good: {error}")


def _summary(clips: pd.DataFrame) -> str:
    """Counts of a clips table in words, then per class and fold as aligned text."""
    from harness.tables import fold_order

    folds, groups = fold_order(clips["fold"]), clips[clips["group"] != ""]["group"].nunique()
    counts = (len(clips), "clip"), (clips["label"].nunique(), "class"), (len(folds), "fold"), (groups, "group")
    lines: list[Sequence[object]] = [("class", "clips", "groups", *(f"fold {fold}" for fold in folds))]
    for label, part in [*clips.groupby("label"), ("all", clips)]:
        per_fold = [int((part["fold"] == fold).sum()) for fold in folds]
        lines.append((label or "(none)", len(part), part[part["group"] != ""]["group"].nunique(), *per_fold))
    return ", ".join(_counted(*count) for count in counts) + "\n" + _aligned(lines)


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}{'es' if what.endswith('s') else 's'}"


def _aligned(lines: Sequence[Sequence[object]]) -> str:
    """Rows as text in columns; numbers to the right."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(*lines, strict=True)]
    right = [isinstance(cell, int) for cell in lines[-1]]
    return "\n".join(
        "  ".join(
            str(cell).rjust(width) if to_right else str(cell).ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


if __name__ == "__main__":
    run()
