"""What is decided, in words: the best against others and all against a baseline, one question at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from evaluator.combinations import Combination
from evaluator.comparisons import Difference
from evaluator.statistics import ROPE
from harness.figures import percent

__all__ = ["RECORDINGS", "TRAINING", "against_baseline", "best_against_others", "p_text", "parts_of_answer", "signed"]

RECORDINGS = "These models, new recordings"
TRAINING = "This method, new training sets"
_NAMED = 3
_OUTCOMES = ("better", "worse", "not decided")


def best_against_others(own: Sequence[Difference], names: Mapping[Combination, str], unit: str) -> list[str]:
    """The best against each other combination: a sentence for each question, and one on how alike the first two are.

    Parameters
    ----------
    own : sequence of Difference
        The best less each other one, in the order of the ranking.
    names : mapping of Combination to str
        What to call them.
    unit : str
        What is flipped as a whole, as :class:`evaluator.intervals.Bootstrap` has it.
    """
    if not own:
        return []
    first = own[0]
    family = f", {first.compared} pairs together" if first.compared > 1 else ""
    asked = f"{RECORDINGS} (sign flips of {_whole(unit)}{family}, level 5 %)"
    sentences = [_better(asked, own, names, recordings=True)]
    if first.p_better is None or first.p_same is None:
        sentences.append(f"{TRAINING}: one fold has no answer; that takes two at least.")
        return sentences
    asked = f"{TRAINING} ({_over(own)}{family and f', Holm over {first.compared} pairs'}, level 5 %)"
    sentences.append(_better(asked, own, names, recordings=False))
    sentences.append(
        f"With new training sets, the probability that it is better than {names[first.b]} by more than "
        f"{100 * ROPE:.0f} point is {100 * first.p_better:.0f} %, that the two are within {100 * ROPE:.0f} point "
        f"{100 * first.p_same:.0f} %: of this pair alone, without regard to its having been chosen."
    )
    return sentences


def against_baseline(found: Sequence[Difference], names: Mapping[Combination, str]) -> list[str]:
    """All that were held against the baseline: a sentence for each question.

    Parameters
    ----------
    found : sequence of Difference
        Each combination less that of the baseline.
    names : mapping of Combination to str
    """
    sentences = []
    for title, recordings in ((RECORDINGS, True), (TRAINING, False)):
        if not found or (not recordings and found[0].p_better is None):
            continue
        parts = _by_outcome(found, recordings=recordings)
        said = [f"{outcome}: {_some([names[d.a] for d in members])}" for outcome, members in parts.items() if members]
        base = list(dict.fromkeys(names[d.b] for d in found))
        sentences.append(
            f"Against the baseline ({_some(base)}). {title}, level 5 % for these pairs alone: {'; '.join(said)}."
        )
    return sentences


def parts_of_answer(sentence: str) -> dict[str, str]:
    """What an answer is made of: ``title``, ``method``, ``outcome`` and the ``rest``; nothing of another sentence.

    Examples
    --------
    >>> parts_of_answer("These models, new recordings (sign flips, level 5 %): better than 7 of the 11 others. Worse than: a.")
    {'title': 'These models, new recordings', 'method': 'sign flips, level 5 %', 'outcome': 'better than 7 of the 11 others', 'rest': 'Worse than: a.'}
    """  # noqa: E501
    title = next((title for title in (RECORDINGS, TRAINING) if sentence.startswith((f"{title} (", f"{title}:"))), "")
    if not title:
        return {}
    head, _, text = sentence.partition(": ")
    outcome, _, rest = text.partition(". ")
    return {"title": title, "method": head[len(title) + 2 : -1], "outcome": outcome.rstrip("."), "rest": rest}


def signed(share: float) -> str:
    """A difference of shares in points, with its sign: ``+1.7``, ``−0.3``, ``0.0``."""
    text = percent(share)
    if text.startswith("-"):
        return "−" + text[1:]
    return text if text == "0.0" else "+" + text


def p_text(p: float | None) -> str:
    """A p value as people print it.

    Examples
    --------
    >>> p_text(0.0531), p_text(0.00004), p_text(1.0), p_text(None)
    ('.053', '< .001', '1', 'not testable')
    """
    if p is None:
        return "not testable"
    if p < 0.001:
        return "< .001"
    return "1" if p >= 0.9995 else f"{p:.3f}"[1:]


def _better(asked: str, own: Sequence[Difference], names: Mapping[Combination, str], *, recordings: bool) -> str:
    """Which of the others the best is better than, which it is worse than after all, and what is open."""
    parts = _by_outcome(own, recordings=recordings)
    shown = {
        outcome: [f"{names[d.b]} ({_figures(d, recordings=recordings)})" for d in members[:_NAMED]]
        + ([f"{len(members) - _NAMED} more"] if len(members) > _NAMED else [])
        for outcome, members in parts.items()
    }
    better, worse, still_open = (len(parts[outcome]) for outcome in _OUTCOMES)
    if len(own) == 1:
        words = {"better": "better than", "worse": "worse than", "not decided": "not shown to be better than"}
        outcome = next(outcome for outcome in _OUTCOMES if parts[outcome])
        return f"{asked}: {words[outcome]} {shown[outcome][0]}."
    first = "better than all" if better == len(own) else f"better than {better} of the" if better else "none of the"
    said = [f"{asked}: {first} {len(own)} others" + ("" if better else " is shown to be worse")]
    said += [f"Worse than: {', '.join(shown['worse'])}"] if worse else []
    said += [f"Not decided, which does not mean equal: {', '.join(shown['not decided'])}"] if still_open else []
    return f"{'. '.join(said)}."


def _by_outcome(found: Sequence[Difference], *, recordings: bool) -> dict[str, list[Difference]]:
    """Differences by what is decided of the first of each pair."""
    parts: dict[str, list[Difference]] = {outcome: [] for outcome in _OUTCOMES}
    for d in found:
        decided = d.decided_recordings if recordings else d.decided_training
        better = _shown(d, recordings=recordings) > 0
        parts["not decided" if not decided else "better" if better else "worse"].append(d)
    return parts


def _shown(d: Difference, *, recordings: bool) -> float:
    """The difference that the question is about."""
    return d.difference if recordings or d.difference_training is None else d.difference_training


def _figures(d: Difference, *, recordings: bool) -> str:
    """Difference, p and the smallest difference that would have been decided."""
    p = d.p_permutation_adjusted if recordings else d.p_corrected_adjusted
    smallest = d.smallest_recordings if recordings else d.smallest_training
    shown = _shown(d, recordings=recordings)
    limit = f"decided above {percent(smallest)}" if smallest is not None else "no difference could be decided"
    if recordings and not d.groups:
        return f"{signed(shown)} points, right on the same clips"
    if recordings and smallest is None:
        limit = f"they differ on {d.groups} alone, too few to decide"
    if not recordings and p is None:
        return f"{signed(shown)} points in every fold, which cannot be tested"
    return f"{signed(shown)} points, p {relation(p)}, {limit}"


def relation(p: float | None) -> str:
    """A p value behind a ``p``: ``= .053``, ``< .001``."""
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _over(own: Sequence[Difference]) -> str:
    """What the corrected t is over, of some pairs perhaps something else."""
    found = Counter(f"{d.repeats} x {d.folds} folds" if d.repeats else f"{d.folds} folds" for d in own)
    if len(found) == 1:
        return f"corrected t over {next(iter(found))}"
    return f"corrected t over {', '.join(f'{what} for {n} of the pairs' for what, n in found.most_common())}"


def _whole(unit: str) -> str:
    return f"whole {unit}" if unit == "groups" else unit


def _some(members: Sequence[str]) -> str:
    """Some names, or how many there are."""
    return ", ".join(members) if len(members) <= 2 * _NAMED else f"{len(members)}, the first {members[0]}"
