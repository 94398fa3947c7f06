"""``python -m converter``: draw the clips of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import converter
import harness
from harness.augmented_ids import original_of
from harness.cli import PluginFiles, SchedulerOption, command_app, list_of, main, say, warn, warn_of_failures

app = command_app(name="converter", help="Draw sounds as images, several encodings in one pass.")


@app.command()
def convert(
    clips: Annotated[Path, typer.Option(help="The clips table, as `python -m corpora scan` writes it.")],
    out: Annotated[Path, typer.Option(help="Folder for the images and images.csv.")],
    encoding: Annotated[
        list[str] | None, typer.Option(help="An encoding; several times for several. Default: four of them.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Settings under one name: seed.")] = "",
    settings: Annotated[
        str,
        typer.Option(metavar="FILE", help="Eight settings as a CSV file (RESOLUTION, SAMPLE_RATE ...) or .SpecVar."),
    ] = "",
    save_settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the eight settings that are used to a CSV file.")
    ] = None,
    size: Annotated[str, typer.Option(help="Height x width in pixels, e.g. 224x224; or exact.")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting, e.g. n_mels=64.")
    ] = None,
    augment: Annotated[
        int, typer.Option(metavar="N", help="Changed sounds of each clip that are drawn, too, for training alone.")
    ] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; -1: as many as there are cores.")] = 1,
    scheduler: SchedulerOption = "",
    store: Annotated[Path | None, typer.Option(help="Folder of the store. Default: the user's cache.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first clip that cannot be drawn.")] = False,
    plugin: PluginFiles = None,
    list_: Annotated[
        bool,
        typer.Option(
            "--list",
            help="List the encodings, and leave.",
            callback=list_of(lambda: converter.ENCODINGS),
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Draw every clip with every encoding; what is drawn already is not drawn again."""
    encodings = converter.encodings_from_options(
        encoding or [], preset=preset, size=size, settings=settings, pairs=set_ or []
    )
    if save_settings:
        converter.write_settings(save_settings, converter.common_settings(encodings))
    changes = None
    if augment:
        changes = converter.augment_from_study({"copies": augment}, encodings, name_of=lambda _: "--augment")
    with harness.connected(scheduler, name="--scheduler"):
        drawn = converter.convert_clips(
            converter.read_clips(clips), encodings, out,
            store=harness.Store(store), jobs=jobs, strict=strict, augment=changes,
        )  # fmt: skip
    harness.copy_corpus_record(clips.parent, out, clips.name)
    for line in drawn.warnings:
        warn(line)
    n_clips = drawn.images["clip_id"].map(original_of).nunique()
    say(f"{len(drawn.images)} images of {n_clips} clips in {out}")
    warn_of_failures(drawn.failures, out, what="drawn")


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
