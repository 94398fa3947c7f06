"""``python -m corpora``: list the corpora, scan one into a clips table, look at it, make the demo, fill folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

import corpora
import harness
from harness.cli import (
    RenamedSharedGroups,
    SchedulerOption,
    command_app,
    count,
    main,
    option_words,
    say,
    warn,
    warn_of_failures,
)
from harness.errors import SettingsError

app = command_app(name="corpora", help="What sounds there are: read a corpus into a clips table.")

Classes = Annotated[
    list[str] | None, typer.Option(help="A class that is wanted; again, or with commas, for more. Default: all.")
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="OURS=THEIRS", help="For csv: the CSV's name of a column, as path=file; repeat."),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE", help="A Python file that defines a corpus; repeat for more."),
]
StoreFolder = Annotated[str, typer.Option("--store", help="Folder of the store; default: the user's cache folder.")]
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
    split: Annotated[
        str,
        typer.Option(help="Assign a single split by percentages and groups: 80/20, or train/test/validation 75/20/5."),
    ] = "",
    list_: Annotated[
        list[str] | None,
        typer.Option(
            "--list", metavar="FOLD=FILE", help="A text file that lists the clips of a fold, or of test; repeat."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="For folds that are assigned, and for demo.")] = 0,
    shared_groups: Annotated[
        str,
        typer.Option(
            help="Groups in several folds: official (the corpus's own exceptions), refuse, drop (clips) or allow."
        ),
    ] = "official",
    identical_sounds: Annotated[
        str, typer.Option(help="Clips with the same bytes: group (they count as one group) or separate.")
    ] = "group",
    overlay: Annotated[
        str, typer.Option(metavar="FILE", help="A table of labels to change, as suspects.csv with `accept` filled in.")
    ] = "",
    overlay_scope: Annotated[
        str, typer.Option(help="Where they are used: training (tested as the corpus has them) or all.")
    ] = "training",
    allow_shared_groups: RenamedSharedGroups = False,
    digests: Annotated[
        bool, typer.Option("--digests/--no-digests", help="Read every file and write digests.csv, for `verify`.")
    ] = True,
    encoding: Annotated[str, typer.Option(help="For images: the name that they go by. Default: image.")] = "",
    store: StoreFolder = "",
    strict: Strict = False,
    plugin: Plugins = None,
) -> None:
    """Write the clips table of a corpus (the images table of one of images), and say what is in it."""
    with harness.in_words_of(option_words):
        result = corpora.scan_to_table(
            corpus,
            root,
            out=out,
            pattern=pattern,
            classes=[name.strip() for given in classes or () for name in given.split(",") if name.strip()],
            columns=dict(_pair("--column", "OURS=THEIRS, as path=file", text) for text in column or ()),
            subset=subset,
            folds=folds,
            split=split,
            lists=_lists(list_ or ()),
            seed=seed,
            shared_groups=harness.as_policy(shared_groups, name="--shared-groups"),
            identical_sounds=identical_sounds,
            overlay=overlay,
            overlay_scope=overlay_scope,
            strict=strict,
            plugins=plugin or (),
            digests=digests,
            encoding=encoding,
            store=harness.Store(store or None),
        )
    for line in result.warnings:
        warn(line)
    say(f"{out}: {corpora.summary(result.clips)}")
    for line in result.notes:
        say(f"Note: {line}")
    _leave(len(result.failures), out.parent, "listed by the corpus: not there")


@app.command("list")
def list_(plugin: Plugins = None) -> None:
    """Name every corpus, its licence, its folds and what its groups are."""
    say(corpora.list_corpora(plugins=plugin or ()))


@app.command("make-demo")
def make_demo(
    out: Annotated[Path, typer.Option(help="The folder to fill.")],
    seed: Annotated[int, typer.Option(help="Another seed, other sounds of the same kinds.")] = 0,
) -> None:
    """Make the demo corpus: 300 short sounds of 10 kinds, for listening and for trying things out."""
    say(f"{out}: {corpora.summary(corpora.make_demo(out, seed=seed))}")


@app.command()
def arrange(
    clips: Annotated[Path, typer.Option(help="A clips table, as `scan` writes it.")],
    out: Annotated[Path, typer.Option(help="The folder to fill with class folders.")],
    strict: Strict = False,
) -> None:
    """Lay the clips of a table out in class folders: links to whole files, wavs of parts."""
    table, failures = corpora.arrange_table(clips, out, strict=strict)
    say(f"{out}: {len(table) - len(failures)} clips in {table['label'].nunique()} class folders")
    _leave(len(failures), out, "could not be laid out")


@app.command()
def cut(
    recordings: Annotated[list[str], typer.Argument(help="Sounds, videos, and folders of them.")],
    *,
    out: Annotated[Path, typer.Option(help="The folder to fill with class folders of wavs, and clips.csv.")],
    window_ms: Annotated[float, typer.Option(help="Length of a clip in milliseconds; 0: as the labels have it.")] = 0,
    hop_ms: Annotated[float, typer.Option(help="From clip to clip in milliseconds; 0: without overlap.")] = 0,
    whole: Annotated[bool, typer.Option("--whole", help="A wav of each recording, as of a video.")] = False,
    labels: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="A CSV (recording, label, start_s, end_s) or label files of Audacity, Raven or Praat."
        ),
    ] = "",
    label: Annotated[str, typer.Option(help="The class of all clips; default: the folder of a recording.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes; -1: one for each core.")] = -1,
) -> None:
    """Cut long recordings and videos into clips: windows with a hop, or the times of label files."""
    given = {"window_ms": window_ms, "hop_ms": hop_ms, "whole": whole}
    settings = corpora.CutSettings.read(given, name_of=_option)
    found = corpora.cut_recordings(recordings, out, settings, labels=labels, label=label, jobs=jobs, name_of=_option)
    for line in found.notes:
        warn(line)
    say(f"{out}: {corpora.summary(found.clips)}" if len(found.clips) else f"{out}: no clips")
    warn_of_failures(found.failures, out, what="cut to the end", noun="recording")
    if found.clips.empty:
        warn(f"{out}: nothing was cut; are there labels, and within the recordings?")
        raise typer.Exit(1)


@app.command()
def look(
    clips: Annotated[Path, typer.Argument(metavar="CLIPS.csv", help="A clips table, as `scan` writes it.")],
    out: Annotated[Path | None, typer.Option(help="Folder for look.html, sounds.csv and duplicates.csv.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="Clips of each class to see and hear on the page.")] = 4,
    jobs: Annotated[int, typer.Option(help="Processes that read; -1: one for each core.")] = -1,
    scheduler: SchedulerOption = "",
    store: StoreFolder = "",
) -> None:
    """Say what the sounds are like: leaks, lengths, levels, silence, the same sound twice; with --out as a page."""
    with harness.connected(scheduler, name="--scheduler"):
        found = corpora.look_at_table(clips, out=out, store=harness.Store(store or None), jobs=jobs, examples=examples)
    say(f"{clips}: {found}")
    if missing := corpora.missing_before(clips):
        say(f"not there   {missing}: see {clips.parent / 'failures.csv'}")
    for name in ("look.html", "sounds.csv", "duplicates.csv"):
        if out is not None and (out / name).is_file():
            say(f"written     {out / name}")
    if found.unreadable:
        warn(f"{count(len(found.unreadable), 'clip')} could not be read; the first is {found.unreadable[0]!r}")
        raise typer.Exit(1)


@app.command()
def verify(
    clips: Annotated[Path, typer.Argument(metavar="CLIPS.csv", help="A clips table, as `scan` writes it.")],
    root: Annotated[str, typer.Option(help="Where the corpus lies now; default: where it was.")] = "",
    store: StoreFolder = "",
    jobs: Annotated[int, typer.Option(help="Threads that read; -1: one for each core.")] = -1,
    plugin: Plugins = None,
) -> None:
    """Name the files of a corpus that are missing, changed or added since its table was written."""
    harness.load_plugins(plugin or ())
    found = corpora.verify_table(clips, root=root, store=harness.Store(store or None), jobs=jobs)
    for line in found.lines():
        say(line)
    if found.unknown:
        warn(f"{count(len(found.unknown), 'file')} without a digest, as {found.unknown[0]}: scan the corpus again")
    if found.unchecked:
        warn(f"files that were added could not be looked for: {found.unchecked}")
    if not found.whole or found.unknown or found.unchecked:
        raise typer.Exit(1)


@app.command()
def download(
    corpus: Annotated[str, typer.Argument(help="Name of the corpus; see `list`.")],
    root: Annotated[Path, typer.Argument(help="The folder to fill.")],
    check: Annotated[bool, typer.Option("--check/--no-check", help="Refuse archives with another checksum.")] = True,
    plugin: Plugins = None,
) -> None:
    """Fetch a corpus from the web, with resume and checksums, and unpack it."""
    harness.load_plugins(plugin or ())
    files = corpora.download(corpus, root, check=check)
    say(f"{root}: {count(files, 'file')}" if files else f"{root}: all there already")
    say(f"next: corpora scan {corpus} {root} --out clips.csv")


def run() -> None:
    """Entry point of the installed command."""
    main(app)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _pair(option: str, expected: str, text: str) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    if not (first and equals and second):
        raise SettingsError(f"{option} {text!r}: expected {expected}")
    return first.strip(), second.strip()


def _lists(given: Iterable[str]) -> dict[str, str]:
    lists: dict[str, str] = {}
    for text in given:
        fold, file = _pair("--list", "FOLD=FILE, as test=testing_list.txt", text)
        if fold in lists:
            raise SettingsError(f"--list {text!r}: {fold!r} has a list already, {lists[fold]}")
        lists[fold] = file
    return lists


def _leave(failed: int, folder: Path, what: str) -> None:
    """Say how many clips failed and leave with 1, if any did."""
    if failed:
        warn(f"{failed} clip{'' if failed == 1 else 's'} {what}; see {folder / 'failures.csv'}")
        raise typer.Exit(1)


if __name__ == "__main__":
    run()
