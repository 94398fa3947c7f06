"""Level and power of the tests of differences: simulated corpora, classifiers really trained, many times over.

    python -m benchmarks.power [--replicates 2000]

A test's level is how often it decides where there is nothing to decide; 5 % are allowed. Each test is judged by the
question that it answers:

- **these models, new recordings**: heads are fixed, and the recordings that they are tested with are drawn anew.
  Equally good: heads of one view, tested on several exchangeable views, so that their true accuracies are the same;
- **this method, new training sets**: all is drawn anew, and each view's heads are trained on it (5 folds by group).
  Equally good: exchangeable views, on average over training sets.

The naive ways are measured with them: clips taken for independent, folds taken for independent, the best of many
compared as if it had not been chosen on the same clips. Corpora have 400 clips of 100 recordings, 5 classes; see
`simulated`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from benchmarks.command import main
from benchmarks.simulated import Design, cross_validated, draw_corpus, folds_by_group, heads_of, right_by
from benchmarks.tables import Table
from evaluator.combinations import Combination
from evaluator.outcomes import GroupNumbers, Outcomes
from evaluator.permutation import sign_flips
from evaluator.statistics import corrected_ttest, holm, paired_ttest
from evaluator.student import upper_tail

__all__ = ["LEVEL", "NOISE", "among_many", "of_two", "run"]

LEVEL = 0.05
NOISE = {2: 0.24, 5: 0.40, 10: 0.61}
"""Additional noise of a view at which its rows are worse by so many points."""
REPEATS = 10
_DRAWS = 999
_MEANS = 1  # seed of the classes' means: one population for all

PERMUTATION = "sign flips of groups"
CORRECTED = "corrected t, 5 folds"
REPEATED = "corrected t, {} x 5 folds"


def of_two(design: Design, *, replicates: int, seed: int = 0, repeats: int = REPEATS) -> dict[str, float]:
    """How often each test decides between two rows, and their true difference, in percent.

    Parameters
    ----------
    design : Design
        Of two views.
    replicates, seed : int
    repeats : int
        Regroupings of the clips.

    Returns
    -------
    dict of str to float
        By test; ``true difference, recordings`` and ``true difference, training`` in points.
    """
    rng = np.random.default_rng(seed)
    corrected = partial(corrected_ttest, test_to_train=1 / (design.folds - 1))
    decided: dict[str, list[float]] = {}
    for number in range(replicates):
        right, fold, group = _fixed_heads(design, rng)
        again, scores = _new_training(design, rng, repeats=repeats)
        found = {
            PERMUTATION: _flips(right, fold, group, [(0, 1)], seed=number)[0] <= LEVEL,
            "sign flips of clips (naive)": _flips(right, fold, np.arange(len(fold)), [(0, 1)], seed=number)[0] <= LEVEL,
            "McNemar over clips (naive)": _mcnemar(right) <= LEVEL,
            CORRECTED: _p(corrected_ttest, scores[0]) <= LEVEL,
            REPEATED.format(repeats): _p(corrected, np.concatenate(scores[1:])) <= LEVEL,
            "paired t, 5 folds (naive)": _p(paired_ttest, scores[0]) <= LEVEL,
            f"paired t, {repeats} x 5 folds (naive)": _p(paired_ttest, np.concatenate(scores[1:])) <= LEVEL,
            f"{PERMUTATION}, at the other question": _flips(*again, [(0, 1)], seed=number)[0] <= LEVEL,
            "true difference, recordings": right[:, 0].mean() - right[:, 1].mean(),
            "true difference, training": np.diff(scores[0].mean(axis=0))[0] * -1,
        }
        for name, value in found.items():
            decided.setdefault(name, []).append(float(value))
    return {name: 100 * float(np.mean(values)) for name, values in decided.items()}


def among_many(
    design: Design, *, replicates: int, seed: int = 0, repeats: int = REPEATS
) -> dict[str, tuple[float, float]]:
    """The best of several rows against each other one: how often something wrong is decided, and how much is rightly.

    Parameters
    ----------
    design : Design
        Views with the same noise are equally good, the less noise the better.
    replicates, seed, repeats : int
        As for :func:`of_two`.

    Returns
    -------
    dict of str to (float, float)
        By test: in how many percent of the replicates a row was called worse that is as good or better, and how many
        percent of the comparisons of the best with a worse row were decided.
    """
    rng = np.random.default_rng(seed)
    noise, rows = np.asarray(design.noise), len(design.noise)
    wrong: dict[str, list[float]] = {}
    rightly: dict[str, list[float]] = {}
    for number in range(replicates):
        right, fold, group = _fixed_heads(design, rng)
        _, scores = _new_training(design, rng, repeats=repeats)
        found = {**_by_flips(right, fold, group, seed=number), **_by_folds(scores)}
        for name, pairs in found.items():
            wrong.setdefault(name, []).append(any(noise[best] >= noise[other] for best, other in pairs))
            best = next(iter(pairs), (int(noise.argmin()), 0))[0]
            worse = [other for other in range(rows) if noise[other] > noise[best]]
            good = sum(noise[other] > noise[top] for top, other in pairs)
            rightly.setdefault(name, []).append(good / len(worse) if worse else 0.0)
    return {name: (100 * float(np.mean(wrong[name])), 100 * float(np.mean(rightly[name]))) for name in wrong}


def _by_flips(right: np.ndarray, fold: np.ndarray, group: np.ndarray, *, seed: int) -> dict[str, list[tuple[int, int]]]:
    """Pairs (best, other) that are decided, by way of asking about new recordings."""
    accuracy = np.mean([right[fold == k].mean(axis=0) for k in np.unique(fold)], axis=0)
    best, rows = int(accuracy.argmax()), right.shape[1]
    others = [(best, other) for other in range(rows) if other != best]
    every = list(combinations(range(rows), 2))
    chosen = _flips(right, fold, group, others, seed=seed)
    all_pairs = dict(zip(every, _flips(right, fold, group, every, seed=seed), strict=True))
    return {
        "sign flips, all pairs' max-T, read at the best": [
            pair
            for pair in others
            if all_pairs[tuple(sorted(pair))] <= LEVEL  # type: ignore[index]
        ],
        "sign flips, max-T over the best's pairs alone (naive)": [
            pair for pair, p in zip(others, chosen, strict=True) if p <= LEVEL
        ],
        "sign flips, all pairs' max of plain differences": [
            pair
            for pair, p in zip(others, _plain(right, fold, group, others, every, seed=seed), strict=True)
            if p <= LEVEL
        ],
        "sign flips, comparisons with the best (Hsu, one-sided)": _hsu(right, fold, group, best, seed=seed),
    }


def _by_folds(scores: Sequence[np.ndarray]) -> dict[str, list[tuple[int, int]]]:
    """Pairs (best, other) that are decided, by ways of asking about new training sets."""
    best, rows = int(scores[0].mean(axis=0).argmax()), scores[0].shape[1]
    every, found = list(combinations(range(rows), 2)), {}
    for name, table in ((CORRECTED, scores[0]), (REPEATED.format(len(scores) - 1), np.concatenate(scores[1:]))):
        test = partial(corrected_ttest, test_to_train=1 / 4)
        ps = [_p(test, table[:, pair]) for pair in every]
        mine = [k for k, pair in enumerate(every) if best in pair]
        adjusted = holm(ps)
        alone = dict(zip(mine, holm([ps[k] for k in mine]), strict=True))
        for family, of in ((f"{name}, Holm over all pairs", adjusted), (f"{name}, Holm over the best's pairs", alone)):
            found[family] = [
                (best, sum(every[k]) - best)
                for k in mine
                if (of[k] or 0) <= LEVEL and table[:, best].mean() > table[:, sum(every[k]) - best].mean()
            ]
    return found


def _hsu(right: np.ndarray, fold: np.ndarray, group: np.ndarray, best: int, *, seed: int) -> list[tuple[int, int]]:
    """Rows whose best rival is better by more than flipped signs make it, one-sided (Hsu 1984)."""
    rows = right.shape[1]
    signs = 1.0 - 2 * np.random.default_rng(seed).integers(2, size=(_DRAWS, int(group.max()) + 1))
    found = []
    for row in range(rows):
        if row == best:
            continue
        rivals = [(other, row) for other in range(rows) if other != row]
        parts, _ = _outcomes(right, fold, group).differences([(_NAMES[a], _NAMES[b]) for a, b in rivals])
        scaled = parts / np.maximum(np.sqrt((parts**2).sum(axis=0)), 1e-300)
        observed = scaled.sum(axis=0).max()
        if (1 + np.count_nonzero((signs @ scaled).max(axis=1) >= observed)) / (1 + _DRAWS) <= LEVEL:
            found.append((best, row))
    return found


def _plain(
    right: np.ndarray,
    fold: np.ndarray,
    group: np.ndarray,
    pairs: Sequence[tuple[int, int]],
    every: Sequence[tuple[int, int]],
    *,
    seed: int,
) -> np.ndarray:
    """Adjusted p of some pairs by the largest of the differences of all, not one of them standardised."""
    outcomes = _outcomes(right, fold, group)
    signs = 1.0 - 2 * np.random.default_rng(seed).integers(2, size=(_DRAWS, int(group.max()) + 1))
    parts, _ = outcomes.differences([(_NAMES[a], _NAMES[b]) for a, b in every])
    largest = np.abs(signs @ parts).max(axis=1)
    observed = np.abs(outcomes.differences([(_NAMES[a], _NAMES[b]) for a, b in pairs])[0].sum(axis=0))
    found: np.ndarray = (1 + (largest[:, None] >= observed - 1e-9).sum(axis=0)) / (1 + _DRAWS)
    return found


_NAMES = [Combination(f"view{k}", "", "") for k in range(50)]


def _outcomes(right: np.ndarray, fold: np.ndarray, group: np.ndarray) -> Outcomes:
    number = GroupNumbers(group, int(group.max()) + 1, "groups")
    return Outcomes(tuple(_NAMES[: right.shape[1]]), right, fold, number)


def _flips(
    right: np.ndarray, fold: np.ndarray, group: np.ndarray, pairs: Sequence[tuple[int, int]], *, seed: int
) -> np.ndarray:
    """Adjusted p of each pair."""
    parts, weights = _outcomes(right, fold, group).differences([(_NAMES[a], _NAMES[b]) for a, b in pairs])
    return sign_flips(parts, weights, draws=_DRAWS, seed=seed).p_adjusted


def _mcnemar(right: np.ndarray) -> float:
    """p of McNemar's test with continuity correction."""
    gained, lost = (np.count_nonzero(right[:, i] > right[:, 1 - i]) for i in (0, 1))
    z = max(abs(gained - lost) - 1, 0) / np.sqrt(max(gained + lost, 1))
    return 2 * upper_tail(float(z), 100_000)


def _p(test: Callable[..., Any], scores: np.ndarray) -> float:
    """p of two columns of scores; 1 where they cannot be tested."""
    p = test(scores[:, 0], scores[:, 1]).p
    return 1.0 if p is None else float(p)


def _means(design: Design) -> np.ndarray:
    return design.distance * np.random.default_rng(_MEANS).standard_normal((design.classes, design.dimensions))


def _fixed_heads(design: Design, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heads of the first view, tested on all views of new recordings: right (clips, views), fold, group."""
    means = _means(design)
    before = draw_corpus(design, means, rng)
    fold = folds_by_group(before, design.folds, rng)
    heads = heads_of(before.x[:1], before.label, fold, classes=design.classes, folds=design.folds)
    after = draw_corpus(design, means, rng)
    fold = folds_by_group(after, design.folds, rng)
    return right_by(heads, after, fold), fold, after.group


def _new_training(
    design: Design, rng: np.random.Generator, *, repeats: int
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], list[np.ndarray]]:
    """A cross-validation of new clips: right, fold, group; accuracy (folds, views) of it and of each regrouping."""
    corpus = draw_corpus(design, _means(design), rng)
    found, scores = None, []
    for _ in range(1 + repeats):
        fold = folds_by_group(corpus, design.folds, rng)
        right = cross_validated(corpus, fold, design)
        found = found or (right, fold, corpus.group)
        scores.append(np.array([right[fold == k].mean(axis=0) for k in range(design.folds)]))
    assert found is not None
    return found, scores


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Level of two rows, level of many with the best chosen, power."""
    n = 40 if options.quick else options.replicates
    equal = of_two(Design(), replicates=n, seed=1)
    yield _level_table(equal, n)
    yield _many_table(n // 2)
    yield _power_table(
        {points: of_two(Design(noise=(0.0, NOISE[points])), replicates=n // 2) for points in NOISE}, n // 2
    )
    yield _many_power_table(n // 4)


def _level_table(found: Mapping[str, float], n: int) -> Table:
    rows = [[name, value] for name, value in found.items() if not name.startswith("true")]
    return Table(f"Two equally good rows: decided, % of {n}", ["test", "decided"], rows, [_AT_OTHER])


_AT_OTHER = (
    "The last row is the permutation judged by the question that it does not answer: two methods that are equally "
    "good on average have, once trained, models that are not, and with enough recordings that shows."
)


def _many_table(n: int) -> Table:
    designs = {
        "5 equal": Design(noise=(0.0,) * 5),
        "12 equal": Design(noise=(0.0,) * 12),
        "4 equal, 8 worse": Design(noise=(0.0,) * 4 + (NOISE[5],) * 8),
    }
    found = {name: among_many(design, replicates=n, seed=2) for name, design in designs.items()}
    rows = [[test, *(found[name][test][0] for name in designs)] for test in next(iter(found.values()))]
    return Table(f"The best of several rows: something wrong decided, % of {n}", ["test", *designs], rows)


def _power_table(found: Mapping[int, Mapping[str, float]], n: int) -> Table:
    tests = (PERMUTATION, CORRECTED, REPEATED.format(REPEATS))
    truth = [["(true difference, points; recordings)", *(found[k]["true difference, recordings"] for k in found)]]
    truth += [["(true difference, points; training sets)", *(found[k]["true difference, training"] for k in found)]]
    rows = [[name, *(found[points][name] for points in found)] for name in tests]
    return Table(f"Two rows that differ: decided, % of {n}", ["test", *(f"{k} points" for k in found)], rows + truth)


def _many_power_table(n: int) -> Table:
    found = {k: among_many(Design(noise=(0.0,) + (NOISE[k],) * 11), replicates=n, seed=3) for k in NOISE}
    rows = [[test, *(found[k][test][1] for k in NOISE)] for test in next(iter(found.values()))]
    title = f"One row better than 11 others: share of the 11 comparisons decided rightly, % (mean of {n})"
    return Table(title, ["test", *(f"{k} points" for k in NOISE)], rows)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replicates", type=int, default=2000, help="of two rows; fewer of many (default: %(default)s)"
    )


if __name__ == "__main__":
    main(run, __doc__, _arguments)
