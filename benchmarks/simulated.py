"""Simulated corpora with clips in groups, and classifiers that are really trained on them, many times over, fast.

A clip has a class, comes from a recording (its group), and is seen in several views, one for each row of a ranking: the
mean of its class, what all clips of the recording have in common (part of it in all views), and noise of its own. The
views are exchangeable, so classifiers of different views are equally good on average over training sets, and one
classifier is equally good on all views for certain. More noise in a view makes its rows worse.
The classifiers are ridge regressions on the classes, fitted for all splits at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Corpus", "Design", "cross_validated", "draw_corpus", "folds_by_group", "heads_of", "right_by"]

_RIDGE = 3.0


@dataclass(frozen=True)
class Design:
    """What corpora are like.

    Parameters
    ----------
    groups, clips : int
        Recordings, and clips of each.
    classes, dimensions, folds : int
    noise : sequence of float
        Deviation of the additional noise of each view; its length is the number of views.
    distance, common, own, clip : float
        Deviations of the means of the classes; of what a recording's clips share in all views, and in one; of a clip.
    """

    groups: int = 100
    clips: int = 4
    classes: int = 5
    dimensions: int = 40
    folds: int = 5
    noise: Sequence[float] = (0.0, 0.0)
    distance: float = 0.5
    common: float = 0.8
    own: float = 0.6
    clip: float = 0.5


@dataclass(frozen=True)
class Corpus:
    """Clips.

    Parameters
    ----------
    x : ndarray of float64, shape (views, clips, dimensions + 1)
        The last column is 1.
    label, group : ndarray of int, shape (clips,)
    """

    x: np.ndarray
    label: np.ndarray
    group: np.ndarray


def draw_corpus(design: Design, means: np.ndarray, rng: np.random.Generator) -> Corpus:
    """New recordings of the same classes.

    Parameters
    ----------
    design : Design
    means : ndarray of float64, shape (classes, dimensions)
        The same for corpora of one population.
    rng : Generator
    """
    d, views, n = design.dimensions, len(design.noise), design.groups * design.clips
    label = np.arange(design.groups) % design.classes
    group = np.repeat(np.arange(design.groups), design.clips)
    center = means[label] + design.common * rng.standard_normal((design.groups, d))
    recording = center + design.own * rng.standard_normal((views, design.groups, d))
    more = np.asarray(design.noise)[:, None, None]
    recording += more * rng.standard_normal((views, design.groups, d))
    x = recording[:, group] + design.clip * rng.standard_normal((views, n, d))
    x += more * rng.standard_normal((views, n, d))
    return Corpus(np.concatenate([x, np.ones((views, n, 1))], axis=2), label[group], group)


def folds_by_group(corpus: Corpus, folds: int, rng: np.random.Generator) -> np.ndarray:
    """A fold of each clip, by whole groups and stratified, at random; shape (clips,)."""
    groups, first = np.unique(corpus.group, return_index=True)
    shuffled = np.lexsort((rng.random(len(groups)), corpus.label[first]))
    fold = np.empty(len(groups), dtype=int)
    fold[shuffled] = np.arange(len(groups)) % folds
    return fold[corpus.group]


def heads_of(x: np.ndarray, label: np.ndarray, fold: np.ndarray, *, classes: int, folds: int) -> np.ndarray:
    """A head for each fold, fitted on the other folds.

    Parameters
    ----------
    x : ndarray of float64, shape (views, clips, d)
    label, fold : ndarray of int, shape (clips,)
    classes, folds : int

    Returns
    -------
    ndarray of float64, shape (views, folds, d, classes)
    """
    target = np.eye(classes)[label]
    parts = [np.flatnonzero(fold == k) for k in range(folds)]
    products = np.stack([np.swapaxes(x[:, rows], 1, 2) @ x[:, rows] for rows in parts], axis=1)
    with_target = np.stack([np.swapaxes(x[:, rows], 1, 2) @ target[rows] for rows in parts], axis=1)
    products = products.sum(axis=1, keepdims=True) - products + _RIDGE * np.eye(x.shape[2])
    solved: np.ndarray = np.linalg.solve(products, with_target.sum(axis=1, keepdims=True) - with_target)
    return solved


def right_by(heads: np.ndarray, corpus: Corpus, fold: np.ndarray) -> np.ndarray:
    """Whether each clip is right by its fold's head of each view; shape (clips, views), float64."""
    views = len(corpus.x)
    right = np.empty((len(fold), views))
    for k in range(heads.shape[1]):
        rows = np.flatnonzero(fold == k)
        scores = corpus.x[:, rows] @ np.broadcast_to(heads, (views, *heads.shape[1:]))[:, k]
        right[rows] = (scores.argmax(axis=2) == corpus.label[rows]).T
    return right


def cross_validated(corpus: Corpus, fold: np.ndarray, design: Design) -> np.ndarray:
    """Train on the other folds, test on each; shape (clips, views)."""
    heads = heads_of(corpus.x, corpus.label, fold, classes=design.classes, folds=design.folds)
    return right_by(heads, corpus, fold)
