"""``python -m labeler``: label sounds and pictures with a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import harness
import labeler
from harness.cli import PluginFiles, SchedulerOption, command_app, count, main, say, warn
from harness.errors import SettingsError, did_you_mean
from labeler.live import commands as live_commands
from labeler.options import (
    Background,
    Classes,
    Gap,
    Hysteresis,
    Longest,
    Shortest,
    SmoothingName,
    SmoothingSpan,
    detection_of,
    listed,
)

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
    context: typer.Context,
    recordings: Annotated[list[str], typer.Argument(metavar="RECORDING...", help="Sounds, folders or patterns.")],
    model: Annotated[Path, typer.Option(help="Model folder.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, detections.csv, calls.csv.", show_default=False)],
    window: Annotated[float, typer.Option(help="Seconds; default: the longest training clip.")] = 0.0,
    hop: Annotated[float, typer.Option(help="Seconds from one window to the next; default: the window.")] = 0.0,
    threshold: Annotated[
        str, typer.Option(help="Score of a call: 0.5, or class=0.5,class=0.7, or the file that `threshold` writes.")
    ] = "0.5",
    smoothing: SmoothingName = "none",
    smoothing_s: SmoothingSpan = 0.0,
    hysteresis: Hysteresis = 1.0,
    gap: Gap = 0.0,
    shortest: Shortest = 0.0,
    longest: Longest = 0.0,
    classes: Classes = None,
    background: Background = None,
    formats: Annotated[
        list[str] | None, typer.Option(help="Label files: audacity, raven, praat; again, or with commas, for more.")
    ] = None,
    cut: Annotated[bool, typer.Option("--cut", help="Write each call as a wav, into cuts/<label>.")] = False,
    images: Annotated[
        bool, typer.Option("--pictures", help="Draw spectrogram, scores and calls, into images.")
    ] = False,
    jobs: Annotated[int, typer.Option(help="Recordings at a time, each in a process; -1: one for each core.")] = 1,
    scheduler: SchedulerOption = "",
    plugin: PluginFiles = None,
) -> None:
    """Find the calls in long recordings: scores of windows, calls with times, how many there are."""
    found = [path for path in labeler.find_files(recordings) if labeler.is_sound(path)]
    if not found:
        raise SettingsError(f"{recordings[0]}: no sounds there; scan takes recordings")
    detection = detection_of(context.params)
    if differing := labeler.other_settings(threshold, detection):
        warn(differing)
    extras = labeler.Extras.read({"formats": listed(formats), "cut": cut, "images": images}, name_of=_option)
    loaded = labeler.load_model(model)
    windows = labeler.windows_for(loaded.card, window=window, hop=hop)
    with harness.connected(scheduler, name="--scheduler"):
        result = labeler.scan_recordings(
            loaded, found, out, windows, detection=detection, extras=extras, jobs=jobs, plugins=plugin or ()
        )
    for line in labeler.summary_lines(result, out, windows):
        say(line)
    for row in result.failures.itertuples():
        warn(str(row.reason))
    if len(result.failures):
        warn(f"{len(result.failures)} of {len(found)} recordings could not be read to their end; see failures.csv")
        raise typer.Exit(1)


@app.command()
def threshold(
    context: typer.Context,
    scores: Annotated[Path, typer.Option(help="scores.csv of a scan.", show_default=False)],
    truth: Annotated[
        Path,
        typer.Option(
            help="All calls in these recordings: a CSV (recording, label, start_s, end_s), or a label file of "
            "Audacity, Raven or Praat for each recording, or their folder.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The table to write, for scan --threshold.")] = Path("thresholds.csv"),
    onset: Annotated[float, typer.Option(help="How far a detection may begin from a call; seconds.")] = 1.0,
    offset: Annotated[float, typer.Option(help="How far it may end from it; seconds.")] = 1.0,
    offset_share: Annotated[float, typer.Option(help="Or this share of the call's length, if that is more.")] = 0.5,
    smoothing: SmoothingName = "none",
    smoothing_s: SmoothingSpan = 0.0,
    hysteresis: Hysteresis = 1.0,
    gap: Gap = 0.0,
    shortest: Shortest = 0.0,
    longest: Longest = 0.0,
    classes: Classes = None,
    background: Background = None,
) -> None:
    """Choose the threshold of each class with the best F1 of calls on labelled recordings; smooth as scan will."""
    detection = detection_of(context.params)
    at = {"onset_s": onset, "offset_s": offset, "offset_share": offset_share}
    tolerance = labeler.Tolerance.read(at, name_of=lambda name: f"--{name.removesuffix('_s').replace('_', '-')}")
    found = labeler.thresholds_from_files(scores, truth, detection=detection, tolerance=tolerance, on_warning=warn)
    harness.claim(out.absolute().parent, [out.name])
    harness.tables.write(found, out, labeler.THRESHOLDS)
    for row in found.to_dict("records"):
        if row["calls"]:
            figures = ", ".join(f"{name} {row[name]:.2f}" for name in ("precision", "recall", "f1"))
            counts = f"{count(int(row['calls']), 'call')}, {row['detected']:.0f} detected"
            say(f"{row['threshold']:.4f} {row['label']}: {counts}, {figures}")
        else:
            say(f"       {row['label']}: no calls there")
    say(f"thresholds: {out}")


@app.command()
def review(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a scan.")],
    out: Annotated[Path | None, typer.Option(help="The page; default: review.html in DIR.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="A class; again, or with commas, for more.")] = None,
    most: Annotated[int, typer.Option(help="At most so many detections, best and most doubtful.")] = 100,
    sample: Annotated[
        int, typer.Option(help="In place of detections, so many windows of each range of scores, for `density`.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    wrong_label: Annotated[str, typer.Option(help="Label in the CSV of what is judged wrong.")] = "background",
) -> None:
    """Make a page of detections to hear, see and judge; its CSV is a table of labelled clips."""
    if most < 1 or sample < 0:
        raise SettingsError(f"--most {most}, --sample {sample}: expected numbers above 0")
    page = out or folder / "review.html"
    shown = labeler.write_review(
        folder, page, labels=listed(label), most=most, sample=sample, seed=seed, wrong_label=wrong_label
    )
    say(f"{count(shown, 'clip')} to judge: {page}")


@app.command()
def density(
    scores: Annotated[Path, typer.Option(help="scores.csv of a scan.", show_default=False)],
    reviewed: Annotated[Path, typer.Option(help="The CSV from a page of `review --sample`.", show_default=False)],
    label: Annotated[list[str] | None, typer.Option(help="A class; default: those that were reviewed.")] = None,
    level: Annotated[float, typer.Option(help="Of the interval.")] = 0.9,
    out: Annotated[Path | None, typer.Option(help="A table to write.")] = None,
) -> None:
    """Estimate how many windows hold a call, without a threshold, with an interval."""
    found = labeler.density_from_files(scores, reviewed, labels=listed(label), level=level)
    if out:
        harness.claim(out.absolute().parent, [out.name])
        harness.tables.write(found, out, labeler.DENSITY)
    for row in found.to_dict("records"):
        share = f"{100 * row['density']:.2f} % ({100 * row['low']:.2f} to {100 * row['high']:.2f})"
        number = f"{row['windows_with_calls']:.0f} ({row['low_windows']:.0f} to {row['high_windows']:.0f})"
        windows = f"{row['windows']:.0f} windows hold a call, {number}; {row['reviewed']:.0f} reviewed"
        say(f"{row['label']}: {share} of {windows}")


app.command()(live_commands.listen)
app.command()(live_commands.snapshot)


def _option(name: str) -> str:
    return "--pictures" if name == "images" else f"--{name}"


def run() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run()
