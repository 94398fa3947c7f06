"""What is to be said where a head takes the strongest or the weakest regularisation that it may choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["grid_end_notes"]

_MEANS = (
    "what they learnt did not hold on the folds that chose, and they score all clips nearly alike",
    "a weaker one might do as well or better",
)


def grid_end_notes(chosen: Mapping[str, Mapping[str, float]], strengths: Sequence[float]) -> list[str]:
    """Name the heads at an end of the grid, in at most one sentence for each end.

    Parameters
    ----------
    chosen : mapping of str to mapping
        By combination, the strength of each fold's head; empty for a head without one.
    strengths : sequence of float
        What it was chosen from; where that is one or two, nothing is said.

    Examples
    --------
    >>> grid_end_notes({"gray on m": {"1": 0.1, "2": 10.0}}, [0.1, 1.0, 10.0, 100.0])
    ['1 of 2 heads takes the strongest regularisation of the grid (C = 0.1; gray on m, fold 1): what they learnt did \
not hold on the folds that chose, and they score all clips nearly alike.']
    """
    heads = [(f"{name}, fold {fold}", c) for name, own in chosen.items() for fold, c in own.items()]
    notes = []
    for end, which, means in zip((min(strengths), max(strengths)), ("strongest", "weakest"), _MEANS, strict=True):
        at_end = [name for name, c in heads if c == end]
        if len(strengths) > 2 and at_end:
            takes = "takes" if len(at_end) == 1 else "take"
            first = at_end[0] if len(at_end) == 1 else f"the first: {at_end[0]}"
            notes.append(
                f"{len(at_end)} of {len(heads)} heads {takes} the {which} regularisation of the grid "
                f"(C = {end:g}; {first}): {means}."
            )
    return notes
