"""Groups that span folds: which there are, which a corpus declares as its own, and what is done about them.

A corpus may declare exceptions of its official folds. They travel with the tables: step ``corpus`` of ``run.json``
names them, the converter and the merger copy that step, and the trainer reads it from the folder of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from harness.errors import SettingsError, SplitError, did_you_mean
from harness.tables import fold_order

__all__ = [
    "IDENTICAL",
    "NO_GROUPS",
    "OFFICIAL",
    "Policy",
    "SharedGroups",
    "SharedGroupsError",
    "as_policy",
    "check_groups",
    "describe_groups",
    "groups_known",
    "in_words_of",
    "python_words",
    "spanning_groups",
]

Policy = Literal["refuse", "official", "drop", "allow"]
Words = Callable[[str, str | int], str]

IDENTICAL = "same sound as "
"""How the name of a group begins that is known to be copies of one sound, and of which nothing else is known."""

NO_GROUPS = "The clips have no groups: if several come from one recording or one speaker, the figures are too high."
"""What must be said wherever a figure of such clips is quoted."""

_SHOWN = 3


@dataclass(frozen=True)
class SharedGroups:
    """What is done about groups that span folds.

    Parameters
    ----------
    policy : str
        ``official``: the exceptions that the corpus declares are used as released, any other is refused. ``refuse``:
        those are refused too. ``drop``: clips of such groups are left out of training where they would leak.
        ``allow``: all are used, which is a leak.
    exceptions : mapping of str to tuple of str
        The groups that the corpus declares, each with the folds that it is in.
    """

    policy: Policy = "official"
    exceptions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def accepts(self, group: str, folds: Sequence[str]) -> bool:
        """Whether a group may be in these folds."""
        declared = self.policy == "official" and set(folds) <= set(self.exceptions.get(group, ()))
        return declared or self.policy in ("drop", "allow")

    def to_json(self) -> dict[str, Any]:
        """As ``run.json`` has it."""
        return {
            "shared_groups": self.policy,
            "exceptions": {group: list(folds) for group, folds in self.exceptions.items()},
        }


OFFICIAL = SharedGroups()


class SharedGroupsError(SplitError):
    """Groups span folds; the message names the way out in the words of the command in use.

    Parameters
    ----------
    found : str
        What was found.
    ways : sequence of (setting, value, str)
        Settings that lead out, and what each does.
    words : callable
        Gives a setting with its value as a person writes it; empty where it cannot be given.
    """

    def __init__(self, found: str, ways: Sequence[tuple[str, str | int, str]], words: Words) -> None:
        self.found, self.ways = found, tuple(ways)
        written = [(words(name, value), effect) for name, value, effect in ways]
        super().__init__("; ".join([found, *(f"{text} {effect}" for text, effect in written if text)]))


def python_words(name: str, value: str | int) -> str:
    """A setting as Python code has it.

    Examples
    --------
    >>> python_words("shared_groups", "drop")
    'shared_groups="drop"'
    """
    return f'{name}="{value}"' if isinstance(value, str) else f"{name}={value}"


@contextmanager
def in_words_of(words: Words) -> Iterator[None]:
    """Name the ways out as the command in use writes its settings."""
    try:
        yield
    except SharedGroupsError as error:
        raise SharedGroupsError(error.found, error.ways, words) from None


def as_policy(text: str, *, name: str = "shared_groups") -> Policy:
    """Check the name of a policy.

    Raises
    ------
    SettingsError
        No such policy; `name` is how the setting was written.
    """
    for policy in get_args(Policy):
        if text == policy:
            return policy
    raise SettingsError(f"{name}={text!r}: {did_you_mean(text, get_args(Policy))}")


def groups_known(groups: Iterable[str]) -> bool:
    """Whether anything is known of groups beyond identical sounds.

    Examples
    --------
    >>> groups_known(["", "same sound as a.wav"]), groups_known(["", "site 1"])
    (False, True)
    """
    return any(group and not group.startswith(IDENTICAL) for group in groups)


def spanning_groups(folds: Sequence[str], groups: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The groups that span folds, in order of their first clip, each with its folds in natural order.

    Parameters
    ----------
    folds, groups : sequence of str, length n
        Of each clip. An empty group stands for itself; a clip without a fold is in none.

    Examples
    --------
    >>> spanning_groups(["1", "2", "10", "2"], ["a", "b", "a", "b"])
    {'a': ('1', '10')}
    """
    found: dict[str, set[str]] = {}
    for fold, group in zip(folds, groups, strict=True):
        if group and fold:
            found.setdefault(group, set()).add(fold)
    return {group: tuple(fold_order(own)) for group, own in found.items() if len(own) > 1}


def check_groups(
    folds: Sequence[str], groups: Sequence[str], shared: SharedGroups = OFFICIAL, *, words: Words = python_words
) -> None:
    """Refuse folds that share a group which the policy does not accept.

    Raises
    ------
    SharedGroupsError
        Saying how many such groups there are, the first few with their folds, and the ways out.
    """
    spanning = spanning_groups(folds, groups)
    refused = {group: own for group, own in spanning.items() if not shared.accepts(group, own)}
    if not refused:
        return
    declared = sum(set(own) <= set(shared.exceptions.get(group, ())) for group, own in refused.items())
    one = len(refused) == 1
    found = (
        f"{'1 group is' if one else f'{len(refused)} groups are'} in several folds: {_listed(refused, _SHOWN)}; a "
        "model would be tested on recordings that it trained on"
    )
    ways: list[tuple[str, str | int, str]] = []
    if declared:
        ways.append(("shared_groups", "official", f"uses the corpus's own exceptions ({declared}) as released"))
    ways += [
        ("shared_groups", "drop", "leaves their clips out of training where they would leak"),
        ("shared_groups", "allow", "goes on with the leak"),
    ]
    names = fold_order(folds)
    if all(any(c.isdigit() for c in name) for name in names):
        ways.append(("folds", len(names), "assigns folds by group"))
    raise SharedGroupsError(found, ways, words)


def describe_groups(folds: Sequence[str], groups: Sequence[str], exceptions: Mapping[str, Sequence[str]]) -> list[str]:
    """Name every group that spans folds, a sentence for those that the corpus declares and one for others.

    Parameters
    ----------
    folds, groups : sequence of str, length n
        Of each clip.
    exceptions : mapping of str to sequence of str
        The groups that the corpus declares, each with its folds.
    """
    spanning = spanning_groups(folds, groups)
    declared = {group: own for group, own in spanning.items() if set(own) <= set(exceptions.get(group, ()))}
    sentences = []
    for part, beginning, end in (
        (declared, "The official folds of this corpus have ", ", as its authors released them"),
        ({g: own for g, own in spanning.items() if g not in declared}, "", ", which the corpus does not declare"),
    ):
        if part:
            clips = sum(group in part for group in groups)
            number = "1 group" if len(part) == 1 else f"{len(part)} groups"
            sentences.append(f"{beginning}{number} ({clips} clips) in several folds{end}: {_listed(part, 20)}.")
    return sentences


def _listed(spanning: Mapping[str, Sequence[str]], shown: int) -> str:
    """Groups with their folds: ``77751 (folds 1, 5)``."""
    first = [f"{group} (folds {', '.join(folds)})" for group, folds in list(spanning.items())[:shown]]
    return ", ".join(first) + (" ..." if len(spanning) > shown else "")
