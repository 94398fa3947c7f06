"""How the images of an encoding were drawn: what ``run.json`` says of it, and what a model must know.

A recipe is ``{"encoding": name, "spec": {...}}``, or for a merge ``{"merge": name, "spec": {...}, "of": {partner:
recipe}}``. Its JSON form stands in every model's card. The recipe of an encoding also has ``longest_s``, the length of
the longest sound that was drawn with it, where that is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import TableError
from harness.files import digest_json
from harness.record import read_steps, record_step

__all__ = ["CONVERT", "MERGE", "Recipes", "longest_sound", "merge_digest", "read_recipes", "record_recipes"]

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
    longest_s : mapping of str to float
        Length in seconds of the longest sound that each encoding drew.
    augment : mapping of str to dict
        How the sounds were augmented that each encoding drew for training; empty where none were.
    sources : mapping of str to dict
        Of each merge that was made of the images of another folder, that folder (``folder``) and a digest of the
        partners' bytes (``digest``); empty for the others.
    """

    encodings: Mapping[str, Any] = field(default_factory=dict)
    merges: Mapping[str, Any] = field(default_factory=dict)
    partners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    longest_s: Mapping[str, float] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __or__(self, other: Recipes) -> Recipes:
        """Both together; where a name is in both, that of `other`."""
        return Recipes(*({**own, **new} for own, new in zip(self._parts(), other._parts(), strict=True)))

    def only(self, names: Collection[str]) -> Recipes:
        """Those of some names."""
        return Recipes(*({name: part[name] for name in part if name in names} for part in self._parts()))

    def recipe(self, name: str) -> dict[str, Any] | None:
        """The recipe of an encoding or a merge; None where it is not known.

        Raises
        ------
        TableError
            A merge whose partner is not known.
        """
        if name in self.encodings:
            longest = {"longest_s": self.longest_s[name]} if self.longest_s.get(name) else {}
            return {"encoding": name, "spec": self.encodings[name], **longest}
        if name not in self.merges:
            return None
        of = {}
        for partner in self.partners[name]:
            of[partner] = self.recipe(partner)
            if of[partner] is None:
                raise TableError(f"merge {name!r}: run.json does not say how its partner {partner!r} was drawn")
        return {"merge": name, "spec": self.merges[name], "of": of}

    def _parts(self) -> tuple[Mapping[str, Any], ...]:
        return (self.encodings, self.merges, self.partners, self.longest_s, self.augment, self.sources)


def longest_sound(recipe: Mapping[str, Any] | None) -> float:
    """Length in seconds of the longest sound that was drawn by a recipe; 0 where that is not known.

    Examples
    --------
    >>> longest_sound({"encoding": "gray", "spec": {}, "longest_s": 4.0})
    4.0
    """
    if recipe is None:
        return 0.0
    return max([recipe.get("longest_s", 0.0), *map(longest_sound, recipe.get("of", {}).values())])


def merge_digest(settings: Mapping[str, Any], partners: Mapping[str, str | None]) -> str:
    """Column ``spec`` of a merged image: its method's settings, and the ``spec`` of each partner's image."""
    return digest_json({"merge": settings, "partners": partners})[:16]


def read_recipes(images_folder: str | Path) -> Recipes:
    """Read how the images of a folder were drawn from its ``run.json``; nothing is known where there is none."""
    steps = read_steps(images_folder)
    drawn = steps.get(CONVERT, {}).get("spec", {})
    merged = steps.get(MERGE, {}).get("spec", {})
    return Recipes(
        drawn.get("encodings", {}),
        merged.get("merges", {}),
        merged.get("partners", {}),
        drawn.get("longest_s", {}),
        drawn.get("augment", {}),
        merged.get("sources", {}),
    )


def record_recipes(
    folder: str | Path, step: str, recipes: Recipes, *, inputs: Mapping[str, str], started: float
) -> None:
    """Write how images were drawn into the folder's ``run.json``, as step ``convert`` or ``merge``.

    Parameters
    ----------
    folder : path
        The folder of images.
    step : str
        :data:`CONVERT` or :data:`MERGE`.
    recipes : Recipes
        Of all images of this step that the folder has, also from earlier runs.
    inputs, started
        For :func:`harness.record.record_step`.
    """
    augment = {name: own for name, own in recipes.augment.items() if own}
    drawn = {"longest_s": recipes.longest_s, "augment": augment}
    sources = {name: dict(source) for name, source in recipes.sources.items() if source}
    spec = (
        {"encodings": recipes.encodings, **{name: each for name, each in drawn.items() if each}}
        if step == CONVERT
        else {"merges": recipes.merges, "partners": {name: list(of) for name, of in recipes.partners.items()}}
        | ({"sources": sources} if sources else {})
    )
    record_step(folder, step, spec=spec, inputs=inputs, started=started)
