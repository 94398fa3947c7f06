"""``soundfold store``: say what is in the store, verify it, make it smaller."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness import store_care
from harness.cli import command_app, count, main, say, warn

app = command_app(name="soundfold store", help="Say what is in the store and how large; verify it, make it smaller.")

StoreFolder = Annotated[Path | None, typer.Option("--store", help="Folder of the store. Default: the user's cache.")]
Force = Annotated[
    bool,
    typer.Option("--force", help="Also what was written or used within the last hour."),
]


@app.callback(invoke_without_command=True, no_args_is_help=False)
def show(context: typer.Context, store: StoreFolder = None) -> None:
    """Say what is in the store and how large; verify it, make it smaller."""
    context.obj = store
    if context.invoked_subcommand is None:
        say(str(store_care.summarise(store_care.open_store(store))))


@app.command()
def verify(
    context: typer.Context,
    store: StoreFolder = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what is damaged; it is made anew when needed.")
    ] = False,
) -> None:
    """Compare the checksum of every entry, and name what is damaged."""
    found = store_care.verify(store_care.open_store(store or context.obj), remove=remove)
    for each in found.damaged:
        warn(str(each))
    rate = f" in {found.seconds:.1f} s ({found.size / 1e6 / max(found.seconds, 1e-3):,.0f} MB/s)"
    say(f"{_files(found.entries)}, {store_care.size_words(found.size)} read{rate}: {len(found.damaged)} damaged")
    if found.skipped:
        say(f"{_files(found.skipped)} of earlier versions not read; `soundfold store prune` removes them")
    if found.damaged:
        left = [each for each in found.damaged if not each.removed]
        if left:
            warn(f"{_files(len(left))} {'could not be removed' if remove else 'damaged: --remove removes what is'}")
        raise typer.Exit(1)


@app.command()
def prune(
    context: typer.Context,
    store: StoreFolder = None,
    older_than: Annotated[str, typer.Option(metavar="AGE", help="What is older, as 30d, 12h or 1y.")] = "",
    to_size: Annotated[str, typer.Option(metavar="SIZE", help="The oldest, until the rest fits, as 5GB.")] = "",
    run: Annotated[
        list[Path] | None, typer.Option(metavar="FOLDER", help="What this run used and no other run; repeat for more.")
    ] = None,
    deleted_runs: Annotated[
        bool, typer.Option("--deleted-runs", help="What only runs used whose folders are gone.")
    ] = False,
    kind: Annotated[list[str] | None, typer.Option(help="Remove only this kind, as images; repeat for more.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Force = False,
) -> None:
    """Remove leftovers of killed runs and earlier versions, and what any of the options names."""
    opened = store_care.open_store(store or context.obj)
    plan = store_care.plan_prune(
        opened,
        older_than_s=store_care.as_age(older_than, name="--older-than") if older_than else None,
        to_size=store_care.as_size(to_size, name="--to-size") if to_size else None,
        runs=run or (),
        deleted_runs=deleted_runs,
        kinds=kind or (),
        force=force,
    )
    if plan:
        say(f"store {str(opened.root)!r}: {'would remove' if dry_run else 'to remove'}\n{plan}")
        if not dry_run:
            _confirm(yes)
            done = store_care.prune(opened, plan)
            say(f"removed {_files(done.files)}, {store_care.size_words(done.freed)}")
    else:
        say(f"store {str(opened.root)!r}: nothing to remove")
    _say_young(plan.young)
    if plan.to_size is not None and plan.left > plan.to_size:
        warn(f"{store_care.size_words(plan.left)} are left, more than --to-size {to_size}")
        raise typer.Exit(1)


@app.command()
def compact(context: typer.Context, store: StoreFolder = None, force: Force = False) -> None:
    """Join small files of feature vectors, as interrupted runs leave them, to larger ones."""
    opened = store_care.open_store(store or context.obj)
    done = store_care.compact(opened, force=force)
    say(
        f"store {str(opened.root)!r}: {_files(done.before)} of vectors became {done.after}, "
        f"{store_care.size_words(done.freed)} freed"
        if done.before
        else f"store {str(opened.root)!r}: nothing to compact"
    )
    _say_young(done.young)


def run() -> None:
    """Run the command line."""
    main(app)


def _files(n: int) -> str:
    return count(n, "file")


def _say_young(n: int) -> None:
    if n:
        was = "was" if n == 1 else "were"
        say(f"{_files(n)} {was} written or used within the last hour and left alone; --force takes them too")


def _confirm(yes: bool) -> None:
    """Ask where somebody is there to answer."""
    if yes or not sys.stdin.isatty():
        return
    if not typer.confirm("Remove them?"):
        say("nothing was removed")
        raise typer.Exit(1)


if __name__ == "__main__":
    run()
