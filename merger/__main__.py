"""``python -m merger``: merge the images of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import harness
import merger
from harness.cli import PluginFiles, SchedulerOption, command_app, list_of, main, say, warn, warn_of_failures

app = command_app(name="merger", help="Merge several images of each clip into one.")


@app.command()
def merge(
    images: Annotated[Path, typer.Option(help="The images table that has the partners.")],
    name: Annotated[str, typer.Option(help="Name that the merged images go under.")],
    how: Annotated[str, typer.Option(help="channels, stack or blend.")],
    of: Annotated[
        list[str],
        typer.Option(help="An encoding, a constant, or a TOML table; several times, in order."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the images and images.csv.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, e.g. direction=horizontal.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1: as many as there are cores.")] = 1,
    scheduler: SchedulerOption = "",
    store: Annotated[Path | None, typer.Option(help="Folder of the store. Default: the user's cache.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be merged.")] = False,
    plugin: PluginFiles = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list", help="List the methods, and leave.", callback=list_of(lambda: merger.METHODS), is_eager=True
        ),
    ] = False,
) -> None:
    """Merge every clip's images; what is merged already is not merged again."""
    methods = {name: merger.method_from_options(how, of, pairs=set_ or [])}
    with harness.connected(scheduler, name="--scheduler"):
        merged = merger.merge_table(images, methods, out, store=harness.Store(store), jobs=jobs, strict=strict)
    for line in merged.warnings:
        warn(line)
    say(f"{len(merged.images)} images of {name} in {out}")
    warn_of_failures(merged.failures, out, what="merged")


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
