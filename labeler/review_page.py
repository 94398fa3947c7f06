"""The HTML of a review page, and the CSV that it gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from harness.tables import Schema

__all__ = ["REVIEWED", "render_page"]

REVIEWED = Schema(
    "review.csv",
    text=("clip_id", "path", "label", "recording", "detected", "verdict", "chosen"),
    number=("start_s", "end_s", "score"),
    filled=("path", "label", "detected", "verdict"),
)
"""What a page gives for download: a clip in each row, with the label that it was found to have."""


def render_page(
    items: Sequence[Mapping[str, object]],
    classes: Sequence[str],
    *,
    title: str,
    key: str,
    chosen: str,
    wrong_label: str,
) -> str:
    """Fill the template.

    Parameters
    ----------
    items : sequence of mapping
        Of each clip: what :class:`labeler.review.Item` has, ``path``, ``clip_id``, and ``image`` and ``sound`` as URLs
        with their data.
    classes : sequence of str
        Of the model.
    title : str
    key : str
        Under which the browser remembers verdicts.
    chosen : str
        How the clips were chosen, for the CSV.
    wrong_label : str
        Label in the CSV of what is wrong.
    """
    known = [*classes, *([wrong_label] if wrong_label not in classes else [])]
    columns = [*REVIEWED.text, *REVIEWED.number]
    data = {"items": items, "classes": known, "columns": columns, "chosen": chosen, "wrong": wrong_label, "key": key}
    page = Path(__file__).with_name("review.html").read_text(encoding="utf-8")
    # no name of a recording can end the script
    return page.replace("@TITLE@", escape(title)).replace("@DATA@", json.dumps(data).replace("<", "\\u003c"))
