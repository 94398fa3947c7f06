"""How the pictures of an encoding were drawn, read from the ``run.json`` beside ``images.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.record import read_steps

__all__ = ["picture_of"]


def picture_of(images_folder: str | Path, encoding: str) -> dict[str, Any] | None:
    """What a model needs to draw a sound as its training pictures were.

    Parameters
    ----------
    images_folder : path
        Where ``images.csv`` and ``run.json`` lie.
    encoding : str
        An encoding, or the name of a merge.

    Returns
    -------
    dict or None
        ``{"encoding": name, "spec": {...}}``, or for a merge ``{"merge": name, "spec": {...}, "of": {partner:
        picture}}``; None where nobody recorded how the pictures came to be.
    """
    steps = read_steps(images_folder)
    encodings = steps.get("convert", {}).get("spec", {}).get("encodings", {})
    merged = steps.get("merge", {}).get("spec", {})
    return _picture(encoding, encodings, merged.get("merges", {}), merged.get("partners", {}))


def _picture(
    name: str, encodings: dict[str, Any], merges: dict[str, Any], partners: dict[str, list[str]]
) -> dict[str, Any] | None:
    if name in encodings:
        return {"encoding": name, "spec": encodings[name]}
    if name not in merges:
        return None
    of = {}
    for partner in partners[name]:
        picture = _picture(partner, encodings, merges, partners)
        if picture is None:
            raise TableError(f"merge {name!r}: run.json does not say how its partner {partner!r} was drawn")
        of[partner] = picture
    return {"merge": name, "spec": merges[name], "of": of}
