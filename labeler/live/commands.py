"""``labeler listen`` and ``labeler snapshot``."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

import labeler
from harness.cli import PluginFiles, note, say, warn
from harness.errors import SettingsError, did_you_mean
from labeler import live  # lazy: nothing is imported for --help

__all__ = ["listen", "snapshot"]


def _list_devices(wanted: bool) -> None:
    """Print the devices that record, and leave."""
    if wanted:
        found = live.devices()
        for each in found:
            say(f"{each.number:3}  {each.name}  ({each.sr} Hz{', the default' if each.default else ''})")
        if not found:
            note("no device that records")
        raise typer.Exit


ModelFolder = Annotated[Path, typer.Option("--model", help="Model folder.", show_default=False)]
InputName = Annotated[
    str,
    typer.Option(
        "--input",
        metavar="DEVICE|FILE|-",
        help="A device (number or part of its name), a sound file, or - for raw PCM (mono, s16le) on standard input; "
        "default: the default microphone.",
    ),
]
Rate = Annotated[int, typer.Option("--rate", help="Hz, of a device (default: its own) or of raw PCM.")]
DeviceList = Annotated[
    bool, typer.Option("--devices", callback=_list_devices, is_eager=True, help="List the devices that record.")
]


def listen(
    model: ModelFolder,
    input: InputName = "",
    seconds: Annotated[float, typer.Option(help="Of sound, then it ends; 0: for ever, until Ctrl-C.")] = 0.0,
    window: Annotated[float, typer.Option(help="Seconds; default: the longest training clip.")] = 0.0,
    hop: Annotated[float, typer.Option(help="Seconds between windows; default: the window, at most 1.")] = 0.0,
    top: Annotated[int, typer.Option(help="How many classes of each window, best first.")] = 5,
    smoothing: Annotated[str, typer.Option(help="none, or mean, median or onset of the windows so far.")] = "none",
    smoothing_s: Annotated[float, typer.Option(help="Seconds of a mean or median; 0: three windows.")] = 0.0,
    format: Annotated[str, typer.Option(help="text (on a terminal: the live view) or jsonl.")] = "text",
    record: Annotated[Path | None, typer.Option(help="A .wav or .flac file for what is heard.")] = None,
    osc: Annotated[str, typer.Option(metavar="HOST:PORT", help="Send OSC messages there.")] = "",
    rate: Rate = 0,
    fast: Annotated[bool, typer.Option("--fast", help="A file as fast as it goes, not in real time.")] = False,
    devices: DeviceList = False,
    plugin: PluginFiles = None,
) -> None:
    """Label what the microphone hears, window by window."""
    if format not in live.LIVE_FORMATS:
        raise SettingsError(f"--format {format!r} is not known; {did_you_mean(format, live.LIVE_FORMATS)}")
    _check_top(top)
    given = {"input": input, "seconds": seconds, "window": window, "hop": hop, "rate": rate, "fast": fast}
    given |= {"smoothing": smoothing, "smoothing_s": smoothing_s, "record": record}
    settings = live.ListenSettings.read(given, name_of=_option)
    senders = [live.OscSender(osc, top=top, name="--osc")] if osc else []
    loaded = labeler.load_model(model)
    with ExitStack() as stack:
        opened = stack.enter_context(live.opened(loaded, settings, name_of=_option))
        tally = live.Tally(opened.source.sr)
        out: live.Listener
        if format == "text" and live.is_display(sys.stdout):
            title = f"soundfold listen   {Path(model).name}   {opened.source.name}, {opened.source.sr} Hz"
            view = live.TerminalView(title, sr=opened.source.sr, windows=opened.windows, top=top)
            out = stack.enter_context(view)
        else:
            out = live.LineWriter(say, format=format, top=top, on_loss=warn)
        listeners = [tally, *opened.listeners, *senders, out]
        with suppress(KeyboardInterrupt):  # the usual end
            smoother = live.smoother_of(settings, opened.windows)
            live.listen_to(
                loaded, opened.source, opened.windows, listeners, seconds=settings.seconds, smoother=smoother
            )
    note(tally.text() + (f"; recorded in {record}" if record else ""))


def snapshot(
    model: ModelFolder,
    out: Annotated[Path, typer.Option(help="Folder for snapshot.wav, snapshot.png, scores.csv.", show_default=False)],
    seconds: Annotated[float, typer.Option(help="How long; default: the longest training clip.")] = 0.0,
    input: InputName = "",
    top: Annotated[int, typer.Option(help="How many classes are printed, best first.")] = 5,
    rate: Rate = 0,
    devices: DeviceList = False,
    plugin: PluginFiles = None,
) -> None:
    """Record some seconds and label them: a wav file, an image and scores."""
    _check_top(top)
    settings = live.ListenSettings.read({"input": input, "seconds": seconds, "rate": rate}, name_of=_option)
    loaded = labeler.load_model(model)
    length = settings.seconds or loaded.card.longest_s
    if not length:
        raise SettingsError("--seconds is missing: the model does not say how long its training clips were")
    mono, fast = not loaded.all_channels, live.is_sound_file(input)
    source = live.open_source(input, rate=rate, fast=fast, mono=mono, name_of=_option)
    note(f"recording {length:g} s from {source.name}")
    taken = live.take_snapshot(loaded, source, out, seconds=length)
    for each in taken.warnings:
        warn(each)
    for name, score in taken.scores.head(top).items():
        say(f"{score:.5f} {name}")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_top(top: int) -> None:
    if top < 1:
        raise SettingsError(f"--top {top}: expected 1 or more")
