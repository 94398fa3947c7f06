"""A page of a scan's detections to look at, listen to and judge; its download is a table of labelled clips.

One file of HTML holds everything: no server, no network. Best and most doubtful detections alternate; by key each is
right, wrong, or of another class. The CSV that the page gives has the columns of a clips table (path, label, start_s,
end_s ...), so that ``soundfold corpora scan csv`` reads it, and says of each row what was detected and what the verdict
was, so that ``soundfold density`` reads it, too.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from converter.colour import paint
from harness import audio, image, tables
from harness.cutting import cut_parts
from harness.errors import SettingsError, TableError, did_you_mean
from harness.files import digest_json, write_text
from harness.record import step_of
from harness.tables import SCORE_PREFIX, score_columns
from harness.written import claim
from labeler.density import draw_sample
from labeler.detecting import DETECTIONS
from labeler.files import clip_names
from labeler.replacing import STEP
from labeler.review_page import render_page
from labeler.scan_images import spectrogram
from labeler.scanned import note_page, scanned_file
from labeler.scanning import SCORES

__all__ = ["DETECTED", "SAMPLED", "Item", "choose_detections", "write_review"]

DETECTED, SAMPLED = "detections", "sample"
"""How the items of a page were chosen: among the calls, or at random among all windows."""
_WIDTH, _HEIGHT = 320, 96
_RATE = 22050
_DECIMALS = 4


@dataclass(frozen=True)
class Item:
    """One clip of a page.

    Parameters
    ----------
    recording : str
        As the scan's tables name it.
    label : str
        What was detected.
    score : float
    start_s, end_s : float
        Of the clip: the detection, widened to a window's length.
    from_s, to_s : float
        Of the detection.
    """

    recording: str
    label: str
    score: float
    start_s: float
    end_s: float
    from_s: float
    to_s: float


def write_review(
    folder: str | Path,
    out: str | Path,
    *,
    labels: Sequence[str] = (),
    most: int = 100,
    sample: int = 0,
    seed: int = 0,
    wrong_label: str = "background",
) -> int:
    """Write the page of a scan.

    Parameters
    ----------
    folder : path
        Of the scan.
    out : path
        The HTML file.
    labels : sequence of str
        Those to look at; empty: all.
    most : int
        At most so many detections, half of them the best and half the most doubtful.
    sample : int
        In place of detections, so many windows of each range of scores, drawn at random, for one label; 0: none.
    seed : int
        Of the sample.
    wrong_label : str
        Label in the CSV of clips that are judged wrong.

    Returns
    -------
    int
        Clips on the page.

    Raises
    ------
    TableError
        No scan there; a recording that is gone, or has changed since.
    SettingsError
        A label that the model does not have; a sample for several labels; nothing to review.
    AudioError
        A recording cannot be read.
    """
    folder = Path(folder)
    scores = tables.read(folder / SCORES.name, SCORES)
    classes = [name.removeprefix(SCORE_PREFIX) for name in score_columns(scores)]
    for label in labels:
        if label not in classes:
            raise SettingsError(f"label {label!r}: the model has no such class; {did_you_mean(label, classes)}")
    if sample and len(labels) != 1:
        raise SettingsError("a sample is drawn for one label; give one --label")
    if sample:
        items = _of_windows(draw_sample(scores, labels[0], each=sample, seed=seed), labels[0])
    else:
        spec = step_of(folder, STEP).get("spec") or {}
        items = choose_detections(tables.read(folder / DETECTIONS.name, DETECTIONS), scores, spec, labels, most)
    if not items:
        raise SettingsError(f"{folder}: no detections to review; lower the threshold of the scan")
    pages, out = list(_drawn(items, folder)), Path(out).absolute()
    key = digest_json([[*vars(item).values()] for item in items])[:16]
    chosen = SAMPLED if sample else DETECTED
    claim(out.parent, [out.name])
    if out.parent.resolve() == folder.resolve():
        note_page(folder, out.name)
    write_text(out, render_page(pages, classes, title=folder.name, key=key, chosen=chosen, wrong_label=wrong_label))
    return len(items)


def choose_detections(
    detections: pd.DataFrame, scores: pd.DataFrame, spec: Mapping[str, Any], labels: Sequence[str], most: int
) -> list[Item]:
    """The best and the most doubtful detections in alternation.

    Parameters
    ----------
    detections, scores : DataFrame
        Of a scan.
    spec : mapping
        Its settings as ``run.json`` has them.
    labels : sequence of str
        Empty: all.
    most : int
    """
    table = detections[detections["label"].isin(list(labels))] if labels else detections
    detection, window_s = spec.get("detection", {}), float((spec.get("windows") or {}).get("length_s", 0.0))
    single, every = detection.get("thresholds", {}), detection.get("threshold", 0.0)
    above = table["score"] - table["label"].map(lambda label: single.get(label, every)).astype(float)
    best = list(table["score"].sort_values(ascending=False, kind="stable").index)
    doubtful = list(above.sort_values(kind="stable").index)
    order = list(dict.fromkeys(index for pair in zip(best, doubtful, strict=True) for index in pair))[:most]
    ends = scores.groupby("recording")["end_s"].max()
    return [_widened(row, window_s, float(ends[row.recording])) for row in table.loc[order].itertuples()]


def _widened(row: Any, window_s: float, length_s: float) -> Item:
    """A detection with the clip around it, as long as a window."""
    start, end = float(row.start_s), float(row.end_s)
    spare = max(0.0, min(window_s, length_s) - (end - start))
    first = min(max(0.0, start - spare / 2), max(0.0, length_s - (end - start) - spare))
    clip = round(first, _DECIMALS), round(min(length_s, first + spare + end - start), _DECIMALS)
    return Item(row.recording, row.label, float(row.score), *clip, start, end)


def _of_windows(windows: pd.DataFrame, label: str) -> list[Item]:
    scores = windows[f"{SCORE_PREFIX}{label}"]
    times = windows[["recording", "start_s", "end_s"]].itertuples(index=False)
    return [Item(name, label, float(score), a, b, a, b) for (name, a, b), score in zip(times, scores, strict=True)]


def _drawn(items: Sequence[Item], folder: Path) -> Iterator[dict[str, object]]:
    """The items with sound and image, in their order; each recording is read once."""
    drawn: dict[int, dict[str, object]] = {}
    recordings = list(dict.fromkeys(item.recording for item in items))
    for recording, name in zip(recordings, clip_names([Path(each) for each in recordings]), strict=True):
        of_it = [k for k, item in enumerate(items) if item.recording == recording]
        file = scanned_file(folder, recording)
        for n, y, sr in cut_parts(file, [(items[k].start_s, items[k].end_s) for k in of_it]):
            item = items[of_it[n]]
            if not y.size:
                raise TableError(f"{recording}: ends before {item.start_s:g} s, where its scan goes on; scan it again")
            named = {"path": str(file.resolve())}
            named["clip_id"] = f"{name}@{item.start_s:g}-{item.end_s:g} {item.label}"
            drawn[of_it[n]] = {**vars(item), **named, "image": _image_url(y, sr), "sound": _sound_url(y, sr)}
    yield from (drawn[k] for k in range(len(items)))


def _image_url(y: np.ndarray, sr: int) -> str:
    levels = spectrogram(y, sr, columns=_WIDTH, n_mels=_HEIGHT)
    shades = np.round((levels - levels.min()) / max(float(np.ptp(levels)), 1e-9) * 255).astype(np.uint8)[::-1]
    return _url("image/png", image.encode_png(paint(np.ascontiguousarray(shades), "magma")))


def _sound_url(y: np.ndarray, sr: int) -> str:
    """An MP3, as every browser plays it."""
    rate, buffer = min(sr, _RATE), io.BytesIO()
    rate = rate if rate in (8000, 11025, 12000, 16000, 22050) else _RATE
    soundfile.write(buffer, np.clip(audio.resample(y, sr, rate), -1, 1), rate, format="MP3")
    return _url("audio/mpeg", buffer.getvalue())


def _url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
