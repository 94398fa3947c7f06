"""``python -m labeler``: label sounds and pictures with a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from harness.cli import command_app, main, warn

if TYPE_CHECKING:
    from labeler.loading import Model

app = command_app(name="labeler", help="Label sounds and pictures with a trained model.")


@app.callback()
def labeler() -> None:
    """Label sounds and pictures with a trained model."""


@app.command()
def label(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Sounds, pictures, folders or patterns.")],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many classes of each file, best first.")] = 5,
    format: Annotated[str, typer.Option(help="text, csv (all classes, as predictions.csv) or jsonl.")] = "text",
    out: Annotated[Path | None, typer.Option(help="File to write to; default: standard output.")] = None,
) -> None:
    """Score each file: ranked `score label` lines, CSV or JSON lines."""
    import sys

    from harness.errors import SettingsError, did_you_mean
    from harness.files import atomic_path
    from labeler.files import find_files
    from labeler.loading import load_model
    from labeler.output import FORMATS

    if format not in FORMATS:
        raise SettingsError(f"--format {format!r} is not known; {did_you_mean(format, FORMATS)}")
    if top < 1:
        raise SettingsError(f"--top {top}: expected 1 or more")
    found = find_files(files)
    loaded = load_model(model)
    if out is None:
        failed = _label_to(sys.stdout, loaded, found, format, top)
    else:
        with atomic_path(out) as part, open(part, "w", encoding="utf-8") as stream:
            failed = _label_to(stream, loaded, found, format, top)
    if failed:
        warn(f"{failed} of {len(found)} files could not be labelled; they are named above")
        raise typer.Exit(1)


def _label_to(stream: IO[str], model: Model, files: list[Path], format: str, top: int) -> int:
    """Write the outcome of every file; give the number of those that failed."""
    from harness.progress import track
    from labeler.files import clip_names
    from labeler.output import FORMATS, csv_header
    from labeler.predict import label_files

    failed = 0
    if format == "csv":
        print(csv_header(model.card), file=stream)
    outcomes = track(label_files(model, files), total=0 if stream.isatty() else len(files), what="labelling")
    for clip_id, labelled in zip(clip_names(files), outcomes, strict=True):
        if labelled.scores is None:
            failed += 1
            warn(labelled.reason)
        else:
            print(FORMATS[format](clip_id, labelled, model.card, top), file=stream, flush=True)
    return failed


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
