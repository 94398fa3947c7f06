"""``python -m converter``: draw the clips of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import command_app, main, say, warn

app = command_app(name="converter", help="Draw sounds as pictures, several encodings in one pass.")


def _list(wanted: bool) -> None:
    if wanted:
        from converter.registry import describe, encoding_names

        for name in encoding_names():
            say(f"{name:10}  {describe(name)}")
        raise typer.Exit


@app.command()
def convert(
    clips: Annotated[Path, typer.Option(help="The clips table, as `python -m corpora scan` writes it.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and images.csv.")],
    encoding: Annotated[
        list[str] | None, typer.Option(help="An encoding; several times for several. Default: four of them.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Settings under one name: seed.")] = "",
    size: Annotated[str, typer.Option(help="Height x width in pixels, e.g. 224x224.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, e.g. n_mels=64.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; -1: as many as there are cores.")] = 1,
    store: Annotated[Path | None, typer.Option(help="Folder of the store. Default: the user's cache.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be drawn.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="List the encodings, and leave.", callback=_list, is_eager=True)
    ] = False,
) -> None:
    """Draw every clip with every encoding; what is drawn already is not drawn again."""
    from converter.options import read_clips, specs_from_options
    from converter.pipeline import convert as run
    from harness.store import Store

    specs = specs_from_options(encoding or [], preset=preset, size=size, pairs=set_ or [])
    images, failures = run(read_clips(clips), specs, out, store=Store(store), jobs=jobs, strict=strict)
    say(f"{len(images)} pictures of {images['clip_id'].nunique()} clips in {out}")
    if len(failures):
        for clip_id, reason in failures[["clip_id", "reason"]].head(5).itertuples(index=False):
            warn(f"{clip_id}: {reason}")
        what = "1 clip" if len(failures) == 1 else f"{len(failures)} clips"
        warn(f"{what} could not be drawn; see {out / 'failures.csv'}")
        raise typer.Exit(1)


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
