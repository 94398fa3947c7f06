"""The outcome in words: which accuracy is highest, and what that says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from evaluator.answers import against_baseline, best_against_others, p_text, signed
from evaluator.combinations import Combination, combinations_of, titles
from evaluator.comparisons import Difference
from evaluator.intervals import Bootstrap
from harness.figures import percent, spread
from harness.shared_groups import NO_GROUPS

__all__ = ["find_limits", "p_text", "signed", "unknown_groups", "verdict_sentences"]

FEW_GROUPS = 50
_MUCH_LARGER = 2  # times the clips of the smallest fold


def verdict_sentences(
    ranked: pd.DataFrame,
    differences: Sequence[Difference],
    predictions: pd.DataFrame,
    *,
    samples: Bootstrap,
    single: Mapping[str, Any] | None = None,
    limits: Sequence[str] = (),
) -> list[str]:
    """Say what the figures mean: what is best, what limits it, what is decided, what was assumed.

    Parameters
    ----------
    ranked : DataFrame
        As :func:`evaluator.tables.ranking` gives it.
    differences : sequence of Difference
        As :func:`evaluator.comparisons.compare` gives them.
    predictions : DataFrame
        As :func:`evaluator.predictions.prepare` gives it.
    samples : Bootstrap
        What the intervals were drawn from.
    single : mapping, optional
        Of a single split: ``tested``, the name of its part; ``train, validation, test``, its numbers of clips;
        ``validation_part``, whether it has one to choose on, and does not choose on clips of train.
    limits : sequence of str
        More that must be known before any comparison, such as groups that are in several folds.
    """
    order = combinations_of(ranked)
    names = titles(order)
    sentences = _headline(ranked, names, samples, single)
    sentences += [*unknown_groups(samples), *limits, *find_limits(ranked, samples), *_unequal_folds(predictions)]
    own = [
        d if d.a == order[0] else d.swapped() for d in differences if d.family != "baseline" and order[0] in (d.a, d.b)
    ]
    sentences += best_against_others(own, names, samples.unit)
    sentences += against_baseline([d for d in differences if d.family == "baseline"], names)
    if differences:
        sentences.append(_assumed(samples.unit, any(d.p_corrected is not None for d in differences)))
    share = predictions.drop_duplicates("clip_id")["label"].value_counts(normalize=True).max()
    sentences.append(f"Always guessing the most frequent class would give {percent(share)} %.")
    return sentences


def find_limits(ranked: pd.DataFrame, samples: Bootstrap) -> list[str]:
    """What makes the figures of a ranking say less than they seem to, a sentence each.

    Parameters
    ----------
    ranked : DataFrame
        As :func:`evaluator.tables.ranking` gives it, best first.
    samples : Bootstrap
    """
    best, found = ranked.iloc[0], []
    if best["folds"] < 2:
        found.append("There is one fold: how figures vary with the clips that were trained on is not known.")
    if best["seeds"] < 2 and (ranked["head"] != "lbfgs").any():
        found.append("There is one seed: how figures vary from one training to the next is not known.")
    if samples.groups < FEW_GROUPS:
        tested = f"{samples.groups} {samples.unit} were" if samples.groups != 1 else f"1 {samples.unit.rstrip('s')} was"
        found.append(f"Only {tested} tested: small differences cannot show.")
    lacking = ranked["folds"] < ranked["folds"].max()
    if lacking.any():
        found.append(
            f"{lacking.sum()} of the {len(ranked)} combinations lack folds, and come last in the ranking, since folds "
            "differ in difficulty."
        )
    if len(ranked) > 1:
        where = "these very folds" if ranked["folds"].max() > 1 else "these very clips"
        found.append(
            f"It was chosen among {len(ranked)} combinations on {where}, so its figure is a little optimistic; the "
            "tests below allow for that."
        )
    return found


def unknown_groups(samples: Bootstrap) -> list[str]:
    """What must be said where no groups are known, in at most one sentence."""
    return [] if samples.unit == "groups" else [NO_GROUPS]


def _unequal_folds(predictions: pd.DataFrame) -> list[str]:
    """That folds count alike, where their sizes differ much; in at most one sentence."""
    sizes = predictions.drop_duplicates(["clip_id", "fold"])["fold"].value_counts()
    if len(sizes) < 2 or sizes.max() <= _MUCH_LARGER * sizes.min():
        return []
    return [
        f"Folds have {sizes.min()} to {sizes.max()} clips and count alike in the mean, so that a clip of the smallest "
        f"weighs {sizes.max() / sizes.min():.0f} times as much as one of the largest."
    ]


def _best(ranked: pd.DataFrame, names: Mapping[Combination, str]) -> str:
    """Who has the highest accuracy: one combination, or several with the same figure."""
    order = combinations_of(ranked)
    alike = (ranked["accuracy"].round(12) == round(ranked["accuracy"].iloc[0], 12)) & (
        ranked["folds"] == ranked["folds"].iloc[0]
    )
    tied = [names[c] for c, same in zip(order, alike, strict=True) if same]
    if len(order) == 1:
        return f"{tied[0]} was tested alone"
    if len(tied) == 1:
        return f"{tied[0]} has the highest accuracy"
    others = tied[1] if len(tied) == 2 else f"{len(tied) - 1} others"
    return f"{tied[0]} and {others} have the same highest accuracy"


def _headline(
    ranked: pd.DataFrame, names: Mapping[Combination, str], samples: Bootstrap, single: Mapping[str, Any] | None
) -> list[str]:
    """The figure, then what it is made of."""
    best = ranked.iloc[0]
    folds, seeds, clips = int(best["folds"]), int(best["seeds"]), int(best["clips"])
    figure = f"{spread(best['accuracy'], best['std'])} %"
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
    interval = (
        f"; 95 % interval {low} to {high}, by bootstrap over {samples.groups} {samples.unit}"
        if low
        else f"; no 95 % interval: {samples.groups} {samples.unit} are too few, or too alike, to know how figures vary"
    )
    return [f"{_best(ranked, names)}: {figure}.", f"{over}{seeded}{tested}{interval}."]


def _tested(single: Mapping[str, Any] | None) -> str:
    """What of a single split was tested, and with how many clips."""
    if single is None:
        return "on a single fold"
    train, validation, test = (int(single[part]) for part in ("train", "validation", "test"))
    sizes = f"train {train}, validation {validation}"
    if not single.get("validation_part"):
        sizes = f"train {train + validation}, of which {validation} to choose on"
    return f"on the {single['tested']} part of a single split ({sizes}, test {test} clips)"


def _assumed(unit: str, training: bool) -> str:
    """What the answers rest on."""
    first = f"Of new recordings it is assumed that they come as these {unit} did, independently of each other"
    second = "; of new training sets, that accuracy varies with them as it does over folds that share most of theirs"
    return f"{first}{second if training else ''}. Other places and microphones are not covered."
