"""A single split into train, validation and test: the names of its parts, percentages, and assigning clips to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from harness.errors import SettingsError, SplitError
from harness.files import natural_key
from harness.tables import fold_order

__all__ = [
    "PARTS",
    "assign_parts",
    "filled_groups",
    "parse_shares",
    "part_of",
    "parts_of",
    "split_notes",
    "split_words",
]

PARTS = ("train", "validation", "test")

_NAMES = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip


def part_of(fold: str) -> str | None:
    """The part of a single split that a fold's name means; None for any other name.

    Examples
    --------
    >>> part_of("Training"), part_of("val"), part_of("eval"), part_of("3")
    ('train', 'validation', 'test', None)
    """
    return _NAMES.get(fold.strip().lower())


def parts_of(folds: Iterable[str]) -> dict[str, str] | None:
    """The parts of a single split, each with its name among `folds`; None where these are folds to rotate, or none.

    Raises
    ------
    SplitError
        Names of parts together with other names, or two names for one part.

    Examples
    --------
    >>> parts_of(["Train", "test"])
    {'train': 'Train', 'test': 'test'}
    """
    names = fold_order(folds)
    parts = {name: part_of(name) for name in names}
    if not any(parts.values()):
        return None
    listed = ", ".join(repr(name) for name in names)
    found: dict[str, str] = {}
    for name, part in parts.items():
        if part is None:
            raise SplitError(
                f"the folds are {listed}: {name!r} is no part of a train/validation/test split; "
                "name all folds as parts of a split, or none"
            )
        if part in found:
            raise SplitError(f"the folds are {listed}: {found[part]!r} and {name!r} both mean {part}; leave one name")
        found[part] = name
    return {part: found[part] for part in PARTS if part in found}


def split_words(folds: Iterable[str]) -> str:
    """A single split in words: ``train/test split``; empty for folds."""
    parts = parts_of(folds)
    return f"{'/'.join(parts)} split" if parts else ""


def parse_shares(given: str | Mapping[str, float]) -> dict[str, float]:
    """Read the percentages of a single split: train/test, or train/test/validation.

    Parameters
    ----------
    given : str or mapping
        ``"80/20"``, ``"75/20/5"`` or ``{"train": 75, "validation": 5, "test": 20}``.

    Raises
    ------
    SettingsError
        Not two or three percentages above 0 that sum to 100, or no percentage of train or test.

    Examples
    --------
    >>> parse_shares("75/20/5")
    {'train': 75.0, 'validation': 5.0, 'test': 20.0}
    """
    expected = 'expected percentages that sum to 100, such as "80/20" (train/test) or "75/20/5" (train/test/validation)'
    if isinstance(given, str):
        numbers = given.split("/")
        if len(numbers) not in (2, 3) or not all(re.fullmatch(r"\s*\d+(\.\d+)?\s*", number) for number in numbers):
            raise SettingsError(f"split={given!r}: {expected}")
        shares = dict(zip(("train", "test", "validation"), map(float, numbers), strict=False))
    else:
        shares = {}
        for name, share in given.items():
            part = part_of(name)
            number = isinstance(share, (int, float)) and not isinstance(share, bool)
            if part is None or part in shares or not number:
                raise SettingsError(f"split={dict(given)!r}: {expected}, or a table of train, validation and test")
            shares[part] = float(share)
    if abs(sum(shares.values()) - 100) > 1e-6 or not all(share > 0 for share in shares.values()):
        raise SettingsError(f"split={given!r}: {expected}")
    if not {"train", "test"} <= set(shares):
        raise SettingsError(f"split={given!r}: train and test must both be there; {expected}")
    return {part: shares[part] for part in PARTS if part in shares}


def assign_parts(
    groups: Sequence[str], labels: Sequence[str], shares: Mapping[str, float], *, seed: int = 0
) -> list[str]:
    """Give every clip a part of a single split: stratified by class, whole groups, seeded.

    Groups are placed one by one, the largest first and those of a size in seeded order, each into the part where it
    lowers the squared deviation from the wanted counts most (counts of each class and of all clips, relative
    to what is wanted). The order of the rows changes nothing.

    Parameters
    ----------
    groups, labels : sequence of str, length n
        An empty group stands for itself.
    shares : mapping of str to float
        Part to percentage.
    seed : int

    Raises
    ------
    SplitError
        A part stays empty: too few groups.
    """
    group = filled_groups(groups)
    names = sorted(set(group), key=natural_key)
    place = {name: i for i, name in enumerate(names)}
    classes = {label: k for k, label in enumerate(sorted(set(labels)))}
    counts = np.zeros((len(names), len(classes) + 1))
    for own, label in zip(group, labels, strict=True):
        counts[place[own], classes[label]] += 1
    counts[:, -1] = counts[:, :-1].sum(axis=1)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-counts[order, -1], kind="stable")]
    wanted = np.outer([share / 100 for share in shares.values()], counts.sum(axis=0))
    there, chosen = np.zeros_like(wanted), np.zeros(len(names), dtype=int)
    for i in order:
        rise = (2 * counts[i] * (there - wanted) + counts[i] ** 2) / wanted
        chosen[i] = int(np.argmin(rise.sum(axis=1).round(9)))
        there[chosen[i]] += counts[i]
    parts = list(shares)
    for k, part in enumerate(parts):
        if not there[k, -1]:
            raise SplitError(
                f"split: no clips are left for {part}, so few or so large are the {len(names)} groups; give it a "
                "larger percentage, or leave it out"
            )
    return [parts[chosen[place[own]]] for own in group]


def split_notes(folds: Sequence[str], labels: Sequence[str]) -> list[str]:
    """What is particular about a single split, a sentence each; nothing for folds.

    Parameters
    ----------
    folds, labels : sequence of str, length n
        Of each clip.
    """
    parts = parts_of(folds)
    if parts is None:
        return []
    sentences = []
    if "test" not in parts and len(parts) == 2:
        sentences.append("The split has no test part: its validation part is tested, and nothing is chosen on it.")
    there = Counter(zip(folds, labels, strict=True))
    for name in parts.values():
        missing = [label for label in sorted(set(labels) - {""}) if not there[name, label]]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            what = "1 class has" if len(missing) == 1 else f"{len(missing)} classes have"
            sentences.append(f"{what} no clips in {name}: {shown}.")
    return sentences


def filled_groups(groups: Sequence[str]) -> list[str]:
    """Groups with a name for every clip that has none."""
    return [group or f"\x01row {i}" for i, group in enumerate(groups)]
