"""The order in which merges are made, since a merge may be one of merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from harness.errors import SettingsError

__all__ = ["in_order", "levels"]


def in_order(partners: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of merges, each after those that it is made of.

    Parameters
    ----------
    partners : mapping of str to sequence of str
        By the name of a merge what it is made of: encodings, which are not among the names, and merges.

    Raises
    ------
    SettingsError
        A merge is made of itself, directly or through others.

    Examples
    --------
    >>> in_order({"both": ["wide", "gray"], "wide": ["gray", "waveform"]})
    ['wide', 'both']
    """
    return [name for level in levels(partners) for name in level]


def levels(partners: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The names of merges, level by level: a level is made of the levels before it and can be made at once.

    Parameters and errors are those of :func:`in_order`.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, of in partners.items():
        sorter.add(name, *(partner for partner in of if partner in partners))
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " of ".join(repr(name) for name in reversed(error.args[1]))
        raise SettingsError(f"merge {error.args[1][0]!r} is made of itself: {circle}") from None
    found = []
    while sorter.is_active():
        found.append(list(sorter.get_ready()))
        sorter.done(*found[-1])
    return found
