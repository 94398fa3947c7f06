"""Figures of matplotlib: confusion matrix, recall per class, heat map of encodings and modules.

Nothing here makes pixels to train on. No display is needed; a notebook shows what the functions return.
matplotlib is slow to import, so the functions that draw import it.

Names are drawn as they are, no mathematics in them, and shortened. Of more than a hundred classes a confusion matrix
has colours alone, and the bars show the best and the weakest, so that memory and size do not grow with the classes.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from evaluator.combinations import short_modules
from evaluator.confusion import Confusion
from harness.figures import percent
from harness.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure  # only where a plot is drawn

__all__ = ["draw_confusion", "draw_heat_map", "draw_recall", "is_drawn", "try_png", "write_png"]

_INK, _FAINT = "#1c2733", "#8a94a0"
_BLUES = ["#f7f9fb", "#d5e3f0", "#9dc0de", "#5592c4", "#22649e", "#0b3a66"]
_BAR = "#2f77b4"
_KEY = "soundfold"
_MOST_NAMED = 100  # classes
_LONGEST_NAME = 50


def draw_confusion(confusion: Confusion, *, title: str) -> Figure:
    """Draw a confusion matrix: colour is the share of the row, numbers are counts.

    Parameters
    ----------
    confusion : Confusion
        Of more than a hundred classes neither names nor numbers are drawn.
    title : str
    """
    from matplotlib.colors import PowerNorm  # only where a plot is drawn

    n, named = len(confusion.classes), len(confusion.classes) <= _MOST_NAMED
    extent = max(2.0, 0.46 * n if n <= 20 else 0.27 * min(n, _MOST_NAMED))
    longest = max(map(len, map(_shown, confusion.classes)), default=0) if named else 0
    margin = 0.08 * max(0, longest - 16)
    figure, axes = _canvas(extent + 2.4 + margin, extent + 1.9 + margin)
    small = 9 if n <= 20 else 6.5
    shares = confusion.shares
    image = axes.imshow(shares, cmap=_colours(), norm=PowerNorm(0.6, 0, 1))  # so that rare errors show
    if named:
        for i, j in zip(*np.nonzero(confusion.counts), strict=True):
            colour = "white" if shares[i, j] > 0.35 else _INK
            axes.text(j, i, str(confusion.counts[i, j]), ha="center", va="center", color=colour, fontsize=small)
        names = [_shown(name) for name in confusion.classes]
        axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=small)
        axes.set_yticks(range(n), names, fontsize=small)
        _grid(axes, n, n)
    axes.set_xlabel("predicted" if named else f"predicted, {n} classes in order of their names", color=_FAINT)
    axes.set_ylabel("true class", color=_FAINT)
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.03, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.ax.set_yticklabels(["0 %", "25 %", "50 %", "75 %", "100 %"], fontsize=8, color=_FAINT)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0)
    return _finish(figure, axes, title)


def draw_recall(recall: Mapping[str, float], *, title: str) -> Figure:
    """Draw recall per class as bars, best first.

    Parameters
    ----------
    recall : mapping of str to float
        Class to recall in [0, 1].
    title : str
    """
    rows = sorted(recall.items(), key=lambda item: (-item[1], item[0]))
    if len(rows) > _MOST_NAMED:
        title = f"{title}: {_MOST_NAMED // 2} best and {_MOST_NAMED // 2} weakest of {len(rows)} classes"
        rows = [*rows[: _MOST_NAMED // 2], *rows[-(_MOST_NAMED // 2) :]]
    longest = max(len(_shown(name)) for name, _ in rows)
    figure, axes = _canvas(6.4 + 0.08 * max(0, longest - 25), 1.2 + 0.3 * len(rows))
    values = [100 * v for _, v in rows]
    axes.barh(range(len(rows)), values, color=_BAR, height=0.68)
    axes.set_yticks(range(len(rows)), [_shown(name) for name, _ in rows], fontsize=9)
    for i, value in enumerate(values):
        axes.text(value + 1, i, percent(value / 100), va="center", fontsize=8.5, color=_INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_xlabel("recall in %", color=_FAINT)
    axes.grid(axis="x", color="#e4e8ec", linewidth=0.8)
    axes.set_axisbelow(True)
    return _finish(figure, axes, title)


def draw_heat_map(ranked: pd.DataFrame, *, title: str) -> Figure:
    """Draw mean accuracy by encoding (rows) and module (columns); of several heads the best.

    Parameters
    ----------
    ranked : DataFrame
        As :func:`evaluator.tables.ranking` gives it.
    title : str
    """
    short = short_modules(ranked["module"])
    wide = ranked.groupby(["encoding", "module"])["accuracy"].max().unstack("module")
    wide = wide[wide.max().sort_values(ascending=False, kind="stable").index]
    wide = wide.loc[wide.max(axis=1).sort_values(ascending=False, kind="stable").index]
    values = 100 * wide.to_numpy()
    figure, axes = _canvas(2.6 + 1.5 * values.shape[1], 2.0 + 0.5 * values.shape[0])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    axes.imshow(values, cmap=_colours(), vmin=low - 0.15 * (high - low) - 1, vmax=high + 1, aspect="auto")
    for i, j in zip(*np.nonzero(np.isfinite(values)), strict=True):
        colour = "white" if values[i, j] > (low + high) / 2 else _INK
        axes.text(j, i, percent(values[i, j] / 100), ha="center", va="center", color=colour, fontsize=10)
    names = [_shown(short[str(m)]) for m in wide.columns]
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", rotation_mode="anchor", fontsize=9)
    axes.set_yticks(range(len(wide)), [_shown(str(e)) for e in wide.index], fontsize=9)
    _grid(axes, *values.shape)
    return _finish(figure, axes, title)


def write_png(figure: Figure, path: str | Path, *, key: str = "") -> None:
    """Write a figure as PNG, atomically; the same figure gives the same bytes. `key` is for :func:`is_drawn`."""
    with atomic_path(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)  # of a name, which then shows a box
        figure.savefig(part, format="png", metadata={_KEY: key} if key else None)


def try_png(draw: Callable[[], Figure], path: Path, *, key: str = "") -> bool:
    """As :func:`write_png`, of what `draw` gives; where drawing fails, say so in one line: no table depends on it."""
    try:
        write_png(draw(), path, key=key)
    except OSError:  # a full disk
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        print(f"warning: {path.name} could not be drawn ({reason})", file=sys.stderr, flush=True)
        path.unlink(missing_ok=True)
        return False
    return True


def is_drawn(path: str | Path, key: str) -> bool:
    """Whether a PNG is there, whole, that was written with this key."""
    try:
        with Image.open(path, formats=("PNG",)) as found:
            found.load()
            return found.info.get(_KEY) == key
    except (OSError, SyntaxError, ValueError):
        return False


def _shown(name: str) -> str:
    """A name as a figure has it: in one line, not too long."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", name)
    half = _LONGEST_NAME // 2
    return _without_mathematics(line if len(line) <= _LONGEST_NAME else f"{line[:half]}…{line[-half:]}")


def _without_mathematics(text: str) -> str:
    """A text whose dollars are dollars to matplotlib."""
    return text.replace("$", r"\$")


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # only where a plot is drawn

    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    return figure, figure.add_subplot()


def _colours() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap  # only where a plot is drawn

    return LinearSegmentedColormap.from_list("ink", _BLUES).with_extremes(bad="#f3f3f3")


def _grid(axes: Axes, rows: int, columns: int) -> None:
    """White lines between the cells."""
    axes.set_xticks(np.arange(-0.5, columns), minor=True)
    axes.set_yticks(np.arange(-0.5, rows), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)


def _finish(figure: Figure, axes: Axes, title: str) -> Figure:
    axes.set_title(_without_mathematics(title), loc="left", fontsize=11, fontweight="bold", color=_INK, pad=12)
    axes.tick_params(which="both", length=0, labelcolor=_INK)
    axes.spines[:].set_visible(False)
    return figure
