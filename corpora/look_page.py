"""A look at a corpus as one HTML file that holds all it shows: leaks first, then counts, ranges, findings, examples."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from corpora.findings import Finding
from corpora.preview import HEIGHT, WIDTH, preview
from harness import audio
from harness.cli import count
from harness.duplicates import in_two_folds
from harness.errors import SoundfoldError
from harness.excerpts import MEDIA_TYPE, SECONDS, Part, make_excerpts
from harness.files import write_text
from harness.parallel import in_parallel
from harness.record import command_line
from harness.shared_groups import IDENTICAL
from harness.split_parts import parts_of
from harness.store import Store
from harness.tables import class_order, fold_order

if TYPE_CHECKING:
    from corpora.look import Look

__all__ = ["PAGE", "write_page"]

PAGE = "look.html"
"""Name of the file."""
_MOST_CLIPS = 400  # to see and hear; a page of ESC-50 with four of each class has 200 and about 4 MB
_PAIRS_HEARD = 12
_EACH_HEARD = 4  # of a finding
_NAMED = 200  # clips or pairs that a list names
_BARS = 24


def write_page(look: Look, path: Path, *, title: str, store: Store, examples: int = 4) -> None:
    """Write the page.

    Parameters
    ----------
    look : Look
    path : Path
        The file.
    title : str
        What was looked at.
    store : Store
        Where excerpts are taken from and put.
    examples : int
        Clips of each class to see and hear; fewer where that is more than 400 in all.
    """
    pairs = look.duplicates
    across = in_two_folds(pairs)
    chosen = _examples(look, examples)
    heard = [*across["clip_a"][:_PAIRS_HEARD], *across["clip_b"][:_PAIRS_HEARD]]
    heard += [clip for found in look.findings for clip in found.clips[:_EACH_HEARD] if found.name != "unreadable"]
    heard += [clip for clips in chosen.values() for clip in clips]
    cards = _cards(look, dict.fromkeys(heard[:_MOST_CLIPS]), store)
    inside = pairs.drop(across.index)
    labels = dict(zip(look.clips["clip_id"], look.clips["label"], strict=True))
    values = {
        "title": title,
        "command": command_line(),
        "headline": _headline(look),
        "leaks": _leaks(look),
        "declared": _declared(look),
        "across": [_pair(row, cards) for row in across.head(_NAMED).to_dict("records")],
        "inside": [_pair(row, {}) for row in inside.head(_NAMED).to_dict("records")],
        "n_across": len(across),
        "n_inside": len(inside),
        "findings": [_finding(found, cards, labels) for found in look.findings],
        "folds": fold_order(look.clips["fold"]),
        "single": parts_of(fold_order(look.clips["fold"])) is not None,
        "classes": _classes(look),
        "balance": _balance(look),
        "ranges": _ranges(look.sounds),
        "examples": {label: [cards[clip] for clip in clips if clip in cards] for label, clips in chosen.items()},
        "seconds": f"{SECONDS:g}",
        "named": _NAMED,
        "width": WIDTH,
        "height": HEIGHT,
    }
    write_text(path, _rendered(values))


def _rendered(values: Mapping[str, Any]) -> str:
    script = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data:; media-src data:"
    )
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(Path(__file__).with_name("look.html.j2").read_text(encoding="utf-8"))
    return template.render(values, script=Markup(script), policy=policy)


# ---------------------------------------------------------------- words and numbers


def _headline(look: Look) -> str:
    clips, sounds = look.clips, look.sounds
    folds = fold_order(clips["fold"])
    parts = [count(len(clips), "clip"), count(clips.loc[clips["label"] != "", "label"].nunique(), "class")]
    if folds:
        single = parts_of(folds) is not None
        parts.append(f"a single split ({', '.join(folds)})" if single else count(len(folds), "fold"))
    groups = clips.loc[(clips["group"] != "") & ~clips["group"].str.startswith(IDENTICAL), "group"].nunique()
    parts.append(count(groups, "group") if groups else "no groups")
    return f"{', '.join(parts)}; {_length_text(float(sounds['duration_s'].sum()))} of sound"


def _length_text(seconds: float) -> str:
    """A length as people say it.

    Examples
    --------
    >>> _length_text(90), _length_text(1800), _length_text(9000)
    ('90.0 s', '30.0 min', '2.5 h')
    """
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _leaks(look: Look) -> list[dict[str, Any]]:
    """Groups in several folds that the corpus does not declare."""
    spanning = {group: own for group, own in look.spanning.items() if not _is_declared(look, group, own)}
    sizes = look.clips["group"].value_counts()
    return [
        {"group": group, "folds": ", ".join(folds), "clips": int(sizes[group])} for group, folds in spanning.items()
    ]


def _declared(look: Look) -> list[str]:
    return [
        f"{group} (folds {', '.join(own)})" for group, own in look.spanning.items() if _is_declared(look, group, own)
    ]


def _is_declared(look: Look, group: str, folds: Sequence[str]) -> bool:
    return set(folds) <= set(look.exceptions.get(group, ()))


def _pair(row: Mapping[Any, Any], cards: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    similarity = "the same samples" if row["kind"] == "exact" else f"correlation {row['similarity']:.3f}"
    shift = f", {abs(row['offset_s']):.2f} s apart" if abs(row["offset_s"]) >= 0.005 else ""
    ends = [{"clip": row[f"clip_{x}"], "fold": row[f"fold_{x}"], "card": cards.get(row[f"clip_{x}"])} for x in "ab"]
    return {"kind": row["kind"], "how": similarity + shift, "ends": ends}


def _finding(found: Finding, cards: Mapping[str, Mapping[str, Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    by_class = Counter(labels[clip] or "no label" for clip in found.clips).most_common()
    named = list(zip(found.clips, found.measured, strict=True))
    heard = [{**cards[clip], "measured": text} for clip, text in named[:_EACH_HEARD] if clip in cards]
    return {
        "name": found.name,
        "meaning": found.meaning,
        "n": len(named),
        "classes": ", ".join(f"{label} {n}" for label, n in by_class[:8])
        + (" and others" if len(by_class) > 8 else ""),
        "named": named[:_NAMED],
        "heard": heard,
    }


def _classes(look: Look) -> list[dict[str, Any]]:
    clips = look.clips.assign(seconds=look.sounds["duration_s"].to_numpy())
    most = int(clips["label"].value_counts().max())
    rows = []
    for label in [*class_order(clips["label"]), *([""] if (clips["label"] == "").any() else [])]:
        own = clips[clips["label"] == label]
        by_fold = own["fold"].value_counts()
        folds = [int(by_fold.get(fold, 0)) for fold in fold_order(clips["fold"])]
        groups = own.loc[own["group"] != "", "group"].nunique()
        rows.append(
            {"label": label or "(no label)", "clips": len(own), "share": 100 * len(own) / most, "groups": groups}
            | {"folds": folds, "seconds": float(own["seconds"].sum())}
        )
    return rows


def _balance(look: Look) -> str:
    """What to say of classes of very different sizes."""
    sizes = look.clips.loc[look.clips["label"] != "", "label"].value_counts()
    if len(sizes) < 2 or sizes.iloc[0] < 3 * sizes.iloc[-1]:
        return ""
    return (
        f"{sizes.index[0]!r} has {sizes.iloc[0] / sizes.iloc[-1]:.0f} times the clips of {sizes.index[-1]!r}: look at "
        'balanced accuracy and macro F1, or train with [train] balance = "down" or "up".'
    )


def _ranges(sounds: pd.DataFrame) -> list[dict[str, Any]]:
    """How lengths, levels, rates and channels are distributed."""
    read = sounds[sounds["duration_s"].notna()]
    if not len(read):
        return []
    return [
        _histogram("Duration", read["duration_s"], "s"),
        _histogram("Level (root mean square, dB of full scale)", read["level_db"], "dB"),
        _histogram("Peak (dB of full scale)", 20 * np.log10(read["peak"].clip(lower=1e-6)), "dB"),
        _bars("Sampling rate", read["sample_rate"], "Hz"),
        _bars("Channels", read["channels"], ""),
    ]


def _histogram(name: str, values: pd.Series, unit: str) -> dict[str, Any]:
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-3 * max(1.0, abs(high)):
        return _bars(name, values.round(2), unit)
    counts, edges = np.histogram(values, bins=min(_BARS, max(4, len(values))))
    bars = [
        {"height": 100 * n / counts.max(), "text": f"{a:.3g} to {b:.3g} {unit}: {n}"}
        for n, a, b in zip(counts, edges, edges[1:], strict=False)
    ]
    median = f"median {values.median():.3g} {unit}"
    return {"name": name, "bars": bars, "low": f"{low:.3g}", "high": f"{high:.3g} {unit}", "median": median}


def _bars(name: str, values: pd.Series, unit: str) -> dict[str, Any]:
    counts = values.value_counts()
    rows = [
        {"value": f"{value:,.6g} {unit}".strip(), "n": int(n), "share": 100 * n / counts.max()}
        for value, n in counts.head(8).items()
    ]
    more = len(counts) - len(rows)
    return {"name": name, "bars": [], "rows": rows, "more": f"and {count(more, 'other value')}" if more > 0 else ""}


# ---------------------------------------------------------------- clips to see and hear


def _examples(look: Look, wanted: int) -> dict[str, list[str]]:
    """Clips of each class, of as many groups as there are, the same at every look."""
    bad = set(look.unreadable)
    labels = class_order(look.clips["label"])
    each = max(1, min(wanted, _MOST_CLIPS // max(1, len(labels)))) if wanted else 0
    chosen = {}
    for label in labels:
        own = look.clips[(look.clips["label"] == label) & ~look.clips["clip_id"].isin(bad)]
        order = sorted(own["clip_id"], key=lambda clip: hashlib.sha256(clip.encode()).digest())
        groups = dict(zip(own["clip_id"], own["group"], strict=True))
        first: dict[str, str] = {}
        for clip in order:
            first.setdefault(groups[clip] or clip, clip)
        ahead = list(first.values())
        chosen[label] = [*ahead, *(clip for clip in order if clip not in set(ahead))][:each]
    return chosen


def _cards(look: Look, wanted: Iterable[str], store: Store) -> dict[str, dict[str, Any]]:
    """Image, sound and description of clips; those that cannot be read are left out."""
    rows = look.clips.set_index("clip_id")
    lengths = dict(zip(look.sounds["clip_id"], look.sounds["duration_s"], strict=True))
    parts = {
        clip: Part(*rows.loc[clip, ["path", "start_s", "end_s"]]) for clip in wanted if lengths[clip] == lengths[clip]
    }
    sounds, _ = make_excerpts(parts, store=store)
    images = dict(zip(parts, in_parallel(_image, list(parts.values()), jobs=1, what="images"), strict=True))
    return {
        clip: {
            "clip": clip,
            "measured": "",
            "label": rows.at[clip, "label"],
            "fold": rows.at[clip, "fold"],
            "group": rows.at[clip, "group"],
            "length": f"{lengths[clip]:.3g} s",
            "image": images[clip],
            "sound": _data_url(MEDIA_TYPE, sounds[clip]),
        }
        for clip in parts
        if clip in sounds and images[clip]
    }


def _image(part: Part) -> str:
    try:
        return _data_url("image/webp", preview(*audio.read(part.path, start_s=part.start_s, end_s=part.end_s)))
    except (SoundfoldError, OSError):
        return ""


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode()}"
