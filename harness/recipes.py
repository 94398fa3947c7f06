"""How the images of an encoding were drawn: what ``run.json`` says of it, and what a model must know.

A recipe is ``{"encoding": name, "spec": {...}}``, or for a merge ``{"merge": name, "spec": {...}, "of": {partner:
recipe}}``. Its JSON form stands in every model's card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.record import read_steps

__all__ = ["CONVERT", "MERGE", "Recipes", "read_recipes"]

CONVERT, MERGE = "convert", "merge"


@dataclass(frozen=True)
class Recipes:
    """How the images of a folder were drawn, all values as JSON.

    Parameters
    ----------
    encodings : mapping of str to dict
        The spec of each encoding by the name that its images go under.
    merges : mapping of str to dict
        The spec of each merge by its name.
    partners : mapping of str to sequence of str
        The encodings that each merge is made of.
    """

    encodings: Mapping[str, Any] = field(default_factory=dict)
    merges: Mapping[str, Any] = field(default_factory=dict)
    partners: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def recipe(self, name: str) -> dict[str, Any] | None:
        """The recipe of an encoding or a merge; None where it is not known.

        Raises
        ------
        TableError
            A merge whose partner is not known.
        """
        if name in self.encodings:
            return {"encoding": name, "spec": self.encodings[name]}
        if name not in self.merges:
            return None
        of = {}
        for partner in self.partners[name]:
            of[partner] = self.recipe(partner)
            if of[partner] is None:
                raise TableError(f"merge {name!r}: run.json does not say how its partner {partner!r} was drawn")
        return {"merge": name, "spec": self.merges[name], "of": of}


def read_recipes(images_folder: str | Path) -> Recipes:
    """Read how the images of a folder were drawn from its ``run.json``; nothing is known where there is none."""
    steps = read_steps(images_folder)
    encodings = steps.get(CONVERT, {}).get("spec", {}).get("encodings", {})
    merged = steps.get(MERGE, {}).get("spec", {})
    return Recipes(encodings, merged.get("merges", {}), merged.get("partners", {}))
