"""``python -m labeler``: label sounds and pictures with a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import labeler
from harness.cli import PluginFiles, command_app, main, say, warn
from harness.errors import SettingsError, did_you_mean
from labeler.live import commands as live_commands

app = command_app(name="labeler", help="Label sounds and pictures with a trained model.")


@app.callback()
def commands() -> None:
    """Label sounds and pictures with a trained model."""


@app.command()
def label(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Sounds, pictures, folders or patterns.")],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many classes of each file, best first.")] = 5,
    format: Annotated[str, typer.Option(help="text, csv (all classes, as predictions.csv) or jsonl.")] = "text",
    out: Annotated[Path | None, typer.Option(help="File to write to; default: standard output.")] = None,
    plugin: PluginFiles = None,
) -> None:
    """Score each file: ranked `score label` lines, CSV or JSON lines."""
    if format not in labeler.FORMATS:
        raise SettingsError(f"--format {format!r} is not known; {did_you_mean(format, labeler.FORMATS)}")
    if top < 1:
        raise SettingsError(f"--top {top}: expected 1 or more")
    found = labeler.find_files(files)
    loaded = labeler.load_model(model)
    failed = labeler.write_labels(loaded, found, out, format=format, top=top, on_failure=warn, on_warning=warn)
    if failed:
        warn(f"{failed} of {len(found)} files could not be labelled; they are named above")
        raise typer.Exit(1)


@app.command()
def scan(
    recordings: Annotated[list[str], typer.Argument(metavar="RECORDING...", help="Sounds, folders or patterns.")],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for scores.csv.", show_default=False)],
    window: Annotated[float, typer.Option(help="Seconds; default: the longest training clip.")] = 0.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next; default: the window.")] = 0.0,
    plugin: PluginFiles = None,
) -> None:
    """Score long recordings window by window: a row of scores.csv for each."""
    found = [path for path in labeler.find_files(recordings) if labeler.is_sound(path)]
    if not found:
        raise SettingsError(f"{recordings[0]}: no sounds there; scan takes recordings")
    loaded = labeler.load_model(model)
    windows = labeler.windows_for(loaded.card, window=window, hop=hop)
    count, failed = labeler.scan_files(loaded, found, out, windows, on_failure=warn)
    say(f"{count} windows of {windows.length_s:g} s every {windows.hop_s:g} s in {out / 'scores.csv'}")
    if failed:
        warn(f"{failed} of {len(found)} recordings could not be read to their end; they are named above")
        raise typer.Exit(1)


app.command()(live_commands.listen)
app.command()(live_commands.snapshot)


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
