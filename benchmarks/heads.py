"""Heads of a cross-validation: ours, all folds and strengths together, beside scikit-learn one by one.

    python benchmarks/heads.py [RUN]

RUN is a run of ``study.py``, whose features are taken from the store; without it, made-up features of the size of
ESC-10 through MobileNet V2. Prints seconds of each, the ratio, and how far the scores are apart.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np

from harness.hub.handles import ModuleSpec
from harness.record import read_steps
from harness.store import Store
from trainer import lbfgs
from trainer.bottlenecks import image_features
from trainer.inputs import read_encoding, training_order

N_FOLDS = 5


def made_up(n: int = 400, d: int = 1280, n_classes: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (n, d) of classes that overlap, targets and folds."""
    rng = np.random.default_rng(0)
    targets = np.arange(n) % n_classes
    centres = rng.normal(size=(n_classes, d))
    features = np.maximum(0, 0.3 * centres[targets] + rng.normal(size=(n, d)) @ np.diag(rng.uniform(0.1, 3, d)))
    return features.astype(np.float32), targets, np.arange(n) // n_classes % N_FOLDS


def of_run(run: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets and folds of a run's first image encoding through its first module."""
    handle, recorded = next(iter(read_steps(run)["train"]["spec"]["modules"].items()))
    name = next(p.name for p in sorted((run / "images").iterdir()) if p.is_dir())
    table = training_order(read_encoding(run / "images" / "images.csv", name))
    spec = ModuleSpec(handle=handle, base=Path(recorded["base"]))
    features = image_features([Path(p) for p in table["path"]], spec, store=Store()).values
    print(f"{name} through {handle}")
    return features, np.unique(table["label"], return_inverse=True)[1], np.unique(table["fold"], return_inverse=True)[1]


def scikit_learn(x: np.ndarray, y: np.ndarray, train: list[np.ndarray]) -> list[list[np.ndarray]]:
    """Scores of every clip by every fold and strength, the usual way."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = []
    wide = x.astype(np.float64)  # in single precision it stops far from the solution
    for rows in train:
        of_fold = []
        for c in lbfgs.STRENGTHS:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000, tol=1e-6))
            of_fold.append(model.fit(wide[rows], y[rows]).predict_proba(wide))
        scores.append(of_fold)
    return scores


def main() -> None:
    """Time both, and compare their scores."""
    x, y, fold = of_run(Path(sys.argv[1])) if len(sys.argv) > 1 else made_up()
    train = [np.flatnonzero(fold != k) for k in np.unique(fold)]
    n_classes = int(y.max()) + 1
    started = time.perf_counter()
    heads = lbfgs.fit_many(x, y, n_classes, train=train, strengths=lbfgs.STRENGTHS)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs_scores = scikit_learn(x, y, train)
    theirs = time.perf_counter() - started
    apart = max(
        float(np.abs(head.scores(x) - scores).max())
        for of_fold, their_fold in zip(heads, theirs_scores, strict=True)
        for head, scores in zip(of_fold, their_fold, strict=True)
    )
    print(f"{len(train)} folds x {len(lbfgs.STRENGTHS)} strengths, {x.shape[0]} clips x {x.shape[1]} features")
    print(f"ours          {ours:7.2f} s")
    print(f"scikit-learn  {theirs:7.2f} s")
    print(f"ratio         {theirs / ours:7.1f}")
    print(f"scores are at most {apart:.1e} apart")


if __name__ == "__main__":
    main()
