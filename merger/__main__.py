"""``python -m merger``: merge the pictures of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import command_app, main, say, warn

app = command_app(name="merger", help="Merge several pictures of each clip into one.")


def _list(wanted: bool) -> None:
    if wanted:
        from merger.registry import describe, methods

        for how in methods():
            say(f"{how:10}  {describe(how)}")
        raise typer.Exit


@app.command()
def merge(
    images: Annotated[Path, typer.Option(help="The images table that has the partners.")],
    name: Annotated[str, typer.Option(help="Name that the merged pictures go under.")],
    how: Annotated[str, typer.Option(help="channels, stack or blend.")],
    of: Annotated[
        list[str],
        typer.Option(help="An encoding, a constant, or a TOML table; several times, in order."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and images.csv.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, e.g. direction=horizontal.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1: as many as there are cores.")] = 1,
    store: Annotated[Path | None, typer.Option(help="Folder of the store. Default: the user's cache.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be merged.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the merges, and leave.", callback=_list, is_eager=True)
    ] = False,
) -> None:
    """Merge every clip's pictures; what is merged already is not merged again."""
    from harness import tables
    from harness.store import Store
    from merger.options import spec_from_options
    from merger.pipeline import merge_all

    table = tables.read(images, tables.IMAGES)
    merges = {name: spec_from_options(how, of, pairs=set_ or [])}
    merged, failures = merge_all(table, images.parent, merges, out, store=Store(store), jobs=jobs, strict=strict)
    say(f"{len(merged)} pictures of {name} in {out}")
    if len(failures):
        for clip_id, reason in failures[["clip_id", "reason"]].head(5).itertuples(index=False):
            warn(f"{clip_id}: {reason}")
        what = "1 clip" if len(failures) == 1 else f"{len(failures)} clips"
        warn(f"{what} could not be merged; see {out / 'failures.csv'}")
        raise typer.Exit(1)


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
