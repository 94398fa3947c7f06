"""Classes that a fold's head cannot know, since none of its training clips has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.protocol import Split
from harness.tables import class_order

__all__ = ["AbsentClass", "absent_classes", "absent_notes"]

_NAMED = 5  # classes that a note names


@dataclass(frozen=True)
class AbsentClass:
    """A class without a training clip.

    Parameters
    ----------
    fold : str
        The fold, or the part of a single split, that the head is tested on.
    label : str
        The class.
    tested : int
        Clips of the class in that fold, none of which the head can get right.
    """

    fold: str
    label: str
    tested: int


def absent_classes(
    labels: Sequence[str], splits: Sequence[Split], *, head: Literal["lbfgs", "sgd"] = "lbfgs"
) -> list[AbsentClass]:
    """List the classes that the head of a split is not trained on, in the order of the splits, then of the classes.

    Parameters
    ----------
    labels : sequence of str, length n
        None is empty.
    splits : sequence of Split
        Of row numbers below n.
    head : str
        ``lbfgs`` is trained on the rows of the final fit, ``sgd`` on those without the validation rows.

    Examples
    --------
    >>> split = Split("2", train=np.array([0, 1]), validation=np.array([2]), test=np.array([3, 4]))
    >>> absent_classes(["cat", "cat", "dog", "hen", "hen"], [split])
    [AbsentClass(fold='2', label='hen', tested=2)]
    >>> [absent.label for absent in absent_classes(["cat", "cat", "dog", "hen", "hen"], [split], head="sgd")]
    ['dog', 'hen']
    """
    label, classes = np.asarray(labels, dtype=object), class_order(labels)
    found = []
    for split in splits:
        known = set(label[split.train if head == "sgd" else split.refit])
        tested = label[split.test]
        found += [AbsentClass(split.fold, name, int((tested == name).sum())) for name in classes if name not in known]
    return found


def absent_notes(absent: Sequence[AbsentClass]) -> list[str]:
    """Say in words which classes lack training clips: a sentence for each fold; nothing where there are none.

    Examples
    --------
    >>> absent_notes([AbsentClass("2", "hen", 4), AbsentClass("2", "owl", 1), AbsentClass("3", "ape", 0)])
    ... # doctest: +NORMALIZE_WHITESPACE
    ["No training clip of 'hen', 'owl' where fold '2' is tested: their clips there (5) all count as errors.",
     "No training clip of 'ape' where fold '3' is tested; it has none there either."]
    """
    notes = []
    for fold in dict.fromkeys(each.fold for each in absent):
        own = [each for each in absent if each.fold == fold]
        names = ", ".join(repr(each.label) for each in own[:_NAMED])
        names += f" and {len(own) - _NAMED} more classes" if len(own) > _NAMED else ""
        one, clips = len(own) == 1, sum(each.tested for each in own)
        said = f"; {'it has' if one else 'they have'} none there either"
        if clips:
            said = f": {'its' if one else 'their'} clips there ({clips}) all count as errors"
        notes.append(f"No training clip of {names} where fold {fold!r} is tested{said}.")
    return notes
