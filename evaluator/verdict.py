"""The outcome in words: what is best, by how much, and whether that is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evaluator.combinations import Combination, combinations_of, titles
from evaluator.comparisons import Difference
from evaluator.statistics import ROPE, Bootstrap
from harness.figures import percent, spread
from harness.shared_groups import NO_GROUPS

__all__ = ["p_text", "signed", "unknown_groups", "verdict_sentences"]


def verdict_sentences(
    ranked: pd.DataFrame,
    differences: Sequence[Difference],
    predictions: pd.DataFrame,
    *,
    samples: Bootstrap,
    single: Mapping[str, Any] | None = None,
) -> list[str]:
    """Say what the figures mean, most important sentence first.

    Parameters
    ----------
    ranked : DataFrame
        As :func:`evaluator.tables.ranking` gives it.
    differences : sequence of Difference
        All pairs, or each combination against a baseline.
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.
    samples : Bootstrap
        What the intervals were drawn from.
    single : mapping, optional
        Of a single split: ``tested``, the name of its part; ``train, validation, test``, its numbers of clips;
        ``validation_part``, whether it has one to choose on, and does not choose on clips of train.
    """
    order = combinations_of(ranked)
    names = titles(order)
    sentences = _headline(ranked, names[order[0]], samples, single)
    sentences += unknown_groups(samples)
    if len(order) > 1:
        sentences += _lead(order, names, differences, samples.unit)
        where = "these very folds" if ranked["folds"].max() > 1 else "these very clips"
        sentences.append(
            f"It was chosen among {len(order)} combinations on {where}, so its figure is a little optimistic."
        )
    share = predictions.drop_duplicates("clip_id")["label"].value_counts(normalize=True).max()
    sentences.append(f"Always guessing the most frequent class would give {percent(share)} %.")
    return sentences


def unknown_groups(samples: Bootstrap) -> list[str]:
    """What must be said where no groups are known, in at most one sentence."""
    return [] if samples.unit == "groups" else [NO_GROUPS]


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


def _headline(ranked: pd.DataFrame, name: str, samples: Bootstrap, single: Mapping[str, Any] | None) -> list[str]:
    """The figure, then what it is made of."""
    best = ranked.iloc[0]
    folds, seeds, clips = int(best["folds"]), int(best["seeds"]), int(best["clips"])
    figure = f"{spread(best['accuracy'], best['std'])} %"
    verb = "is best" if len(ranked) > 1 else "was tested alone"
    over = f"Mean ± standard deviation of accuracy over {folds} folds"
    if folds < 2:
        over = f"Accuracy {_tested(single)}" + (", mean" * (seeds > 1))
    seeded = (
        f"{' and' if folds > 1 else ' over'} {seeds} seeds (± {percent(best['std_seeds'])} between seeds)"
        if seeds > 1
        else ""
    )
    tested = "" if folds < 2 and single else f", {clips} clips"
    low, high = percent(best["low"]), percent(best["high"])
    interval = f"; 95 % interval {low} to {high}, by bootstrap over {samples.groups} {samples.unit}" if low else ""
    return [f"{name} {verb}: {figure}.", f"{over}{seeded}{tested}{interval}."]


def _tested(single: Mapping[str, Any] | None) -> str:
    """What of a single split was tested, and with how many clips."""
    if single is None:
        return "on a single fold"
    train, validation, test = (int(single[part]) for part in ("train", "validation", "test"))
    sizes = f"train {train}, validation {validation}"
    if not single.get("validation_part"):
        sizes = f"train {train + validation}, of which {validation} to choose on"
    return f"on the {single['tested']} part of a single split ({sizes}, test {test} clips)"


def _lead(
    order: Sequence[Combination], names: dict[Combination, str], differences: Sequence[Difference], unit: str
) -> list[str]:
    """Sentences on the best against the second, or the baseline, and against all."""
    best = order[0]
    own = [d if d.a == best else d.swapped() for d in differences if best in (d.a, d.b)]
    if not own:
        return []
    rank = {name: i for i, name in enumerate(order)}
    nearest = min(own, key=lambda d: rank[d.b])
    where = "the second" if nearest.b == order[1] else "the baseline"
    outcome = "is significant" if nearest.significant else "is not significant"
    if nearest.folds < 2:
        interval = f"95 % interval {signed(nearest.low)} to {signed(nearest.high)}, by bootstrap over {unit}"
        reason = f"has no test, which takes at least two folds; {interval}"
    elif nearest.p_corrected is None:
        reason = "cannot be tested: it is the same in every fold"
    else:
        family = f", Holm over {len(differences)} pairs" if len(differences) > 1 else ""
        reason = f"{outcome} (corrected t{family}: p {_relation(nearest.p_holm)})"
    same = ""
    if nearest.p_same is not None:
        chance, rope = 100 * nearest.p_same, 100 * ROPE
        same = f"; with probability {chance:.0f} % the two are within {rope:.0f} point of each other"
    lead = f"The difference to {where}, {names[nearest.b]} ({signed(nearest.difference)} points), {reason}{same}."
    if len(own) < 2 or nearest.folds < 2:
        return [lead]
    clear = sum(d.significant and d.difference > 0 for d in own)
    if not clear:
        return [lead, f"It is not significantly better than any of the {len(own)} others that it was held against."]
    number = f"all {len(own)}" if clear == len(own) else f"{clear} of the {len(own)}"
    return [lead, f"It is significantly better than {number} others that it was held against."]


def _relation(p: float | None) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"
