"""Heads of a cross-validation: ours, all folds together, and scikit-learn used as well as one can.

    python -m benchmarks.heads [--sizes 400x6936,8732x1280,8732x6936,100000x1280] [--run RUN]

Without RUN (a run of ``study.py``, whose features are taken from the store) features are made up: classes that overlap,
recordings of several rows, a spectrum that falls as that of MobileNet V2's features of real sounds does. For each size,
10 folds x 9 strengths:

- **ours**: every fold and strength at the default tolerance, and what a study does (choose loosely, refit);
- **scikit-learn**: features standardised, rotated into the span of the training rows where these are fewer than the
  features, strengths from the smallest on with a warm start, one thread where that is faster; of its solvers for this
  problem (lbfgs, newton-cg; float64) the faster one. Measured on one fold, and times 10;
- how far both are from a converged solution at three strengths (float64; its gradient, computed apart from the solver,
  is printed).
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.command import main
from benchmarks.tables import Cell, Table, ratio
from harness.head import Head
from harness.hub.handles import ModuleSpec
from harness.protocol import Split, splits
from harness.record import read_steps
from harness.store import Store
from trainer import designs
from trainer.bottlenecks import image_features
from trainer.fitting import HeadSettings, fit_folds
from trainer.inputs import read_encoding, training_order
from trainer.logistic import LogisticSettings, Regression

N_FOLDS, N_CLASSES = 10, 10
# A usual grid; what a study tries is wider, and it ends where nothing more is to be gained.
STRENGTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
SOLVERS = {"lbfgs": 1e-6, "newton-cg": 1e-6}  # with tolerances that give about our accuracy, see what is printed
SMALL = 5_000_000  # values up to which one thread is faster for scikit-learn, too
CHECKED = (0, 4, 8)  # of the strengths, against a converged solution
T = TypeVar("T")
SMALL_SIZES = "400x256"
SIZES = "400x6936,8732x1280,8732x6936,100000x1280"
Data = tuple[np.ndarray, np.ndarray, np.ndarray]


def made_up(n: int, d: int) -> Data:
    """Features (n, d), targets and folds; five rows of a recording are alike, and in the same fold."""
    rng = np.random.default_rng(0)
    recording = np.arange(n) // 5
    target = rng.integers(N_CLASSES, size=recording[-1] + 1)[recording]
    factors = min(d, 1500)
    strength = (np.arange(factors) + 1.0) ** -0.55
    centres = rng.normal(size=(N_CLASSES, factors)) * 0.55
    of_recording = rng.normal(size=(recording[-1] + 1, factors))
    latent = (centres[target] + 0.8 * of_recording[recording] + 0.6 * rng.normal(size=(n, factors))) * strength
    mixing = rng.normal(size=(factors, d)).astype(np.float32) / np.sqrt(factors)
    features = latent.astype(np.float32) @ mixing + 0.05 * rng.normal(size=(n, d)).astype(np.float32)
    np.maximum(features, -0.3, out=features)  # as after a rectifier
    return features, target, recording % N_FOLDS


def of_run(run: Path) -> Data:
    """Features, targets and folds of a run's first image encoding through its first module."""
    handle, recorded = next(iter(read_steps(run)["train"]["spec"]["modules"].items()))
    name = next(p.name for p in sorted((run / "images").iterdir()) if p.is_dir())
    table = training_order(read_encoding(run / "images" / "images.csv", name))
    spec = ModuleSpec(handle=handle, base=Path(recorded["base"]))
    features = image_features([Path(p) for p in table["path"]], spec, store=Store()).values
    print(f"{name} through {handle}")
    return features, np.unique(table["label"], return_inverse=True)[1], np.unique(table["fold"], return_inverse=True)[1]


def scikit_learn(x: np.ndarray, y: np.ndarray, rows: np.ndarray, solver: str) -> tuple[list[np.ndarray], int]:
    """Scores of all rows by each strength, fitted to `rows`, and the iterations."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    z = StandardScaler().fit(x[rows].astype(np.float64)).transform(x.astype(np.float64))
    if len(rows) < x.shape[1]:
        squares, basis = np.linalg.eigh(z[rows] @ z[rows].T)
        good = squares > 1e-10 * squares[-1]
        z = z @ (z[rows].T @ (basis[:, good] / np.sqrt(squares[good])))
    model = LogisticRegression(solver=solver, tol=SOLVERS[solver], max_iter=5000, warm_start=True)
    scores, iterations = [], 0
    for c in STRENGTHS:
        model.set_params(C=c).fit(z[rows], y[rows])
        iterations += int(np.max(model.n_iter_))
        scores.append(model.predict_proba(z))
    return scores, iterations


def all_strengths(x: np.ndarray, y: np.ndarray, train: list[np.ndarray]) -> tuple[list[np.ndarray], list[Head], int]:
    """Of the first fold the scores of all rows and the head by each strength; the iterations.

    Every fold is solved at every strength. An iteration is a pass over the features, forth and back, for all folds.
    """
    scores, heads, iterations = [], [], 0
    rows, regression = np.arange(len(y)), Regression(x, y, N_CLASSES, train)
    for batch in regression.batches(train):
        path = regression.path(train[batch], others=[rows])
        for c in STRENGTHS:
            path.solve(np.full(len(train[batch]), c))
            of_folds = [path.probabilities(f, rows) for f in range(len(train[batch]))]
            if batch.start == 0:
                scores.append(of_folds[0])
                heads.append(path.only(np.array([0])).heads()[0])
        iterations += path.iterations
    return scores, heads, iterations


def converged(x: np.ndarray, y: np.ndarray, rows: np.ndarray, heads: list[Head]) -> list[Head]:
    """Heads in double precision far beyond the default; `heads` are where to start."""
    limit, designs._SINGLE_ABOVE = designs._SINGLE_ABOVE, x.size
    regression, tight = Regression(x, y, N_CLASSES, [rows]), LogisticSettings(tolerance=1e-6, max_iter=3000)
    designs._SINGLE_ABOVE = limit
    found = []
    for j in CHECKED:
        path = regression.path([rows], start=[heads[j]])
        path.solve(np.array([STRENGTHS[j]]), tight)
        found += path.heads()
        largest = largest_gradient(found[-1], x, y, rows, STRENGTHS[j])
        print(
            f"    converged at C={STRENGTHS[j]:g}: {path.iterations} more iterations, gradient {largest:.0e}",
            flush=True,
        )
    return found


def largest_gradient(head: Head, x: np.ndarray, y: np.ndarray, rows: np.ndarray, c: float) -> float:
    """Largest element of the mean loss's gradient over standardised features, from the definition."""
    z = x[rows].astype(np.float64)
    sigma = z.std(axis=0)
    residual = head.scores(z)
    residual[np.arange(len(rows)), y[rows]] -= 1
    z -= z.mean(axis=0)
    z /= np.where(sigma > 0, sigma, 1)
    gradient = z.T @ residual / len(rows) + head.weights.astype(np.float64) * sigma[:, None] / (c * len(rows))
    return float(max(np.abs(gradient).max(), np.abs(residual.mean(axis=0)).max()))


def timed(work: Callable[[], T]) -> tuple[float, float, T]:
    """Seconds by the clock and of the processor, and what `work` gives."""
    started, used = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - started, time.process_time() - used, result


def compare(x: np.ndarray, y: np.ndarray, fold: np.ndarray, *, name: str) -> Table:
    """Time both, and hold their scores against a converged solution."""
    labels = [str(k) for k in y]
    parts: list[Split] = list(splits([str(k) for k in fold], [""] * len(y), labels))
    train = [s.train for s in parts]
    wall, used, (scores_0, heads, iterations) = timed(lambda: all_strengths(x, y, train))
    rows: list[list[Cell]] = [["ours, all strengths", wall, used, iterations, *apart(), ratio(wall, wall)]]
    study, used, _ = timed(lambda: fit_folds(x, labels, parts, settings=HeadSettings(), seed=0))
    rows.append(["ours, as a study: chosen and refitted", study, used, None, *apart(), ratio(wall, study)])
    exact = [head.scores(x) for head in converged(x, y, train[0], heads)]
    rows[0][4:6] = apart([scores_0[j] for j in CHECKED], exact, y, parts[0])
    n = len(train)
    for solver in SOLVERS:
        with warnings.catch_warnings(), threadpool_limits(1 if x.size < SMALL else None, user_api="blas"):
            warnings.simplefilter("ignore")
            one, used, (scores, steps) = timed(lambda s=solver: scikit_learn(x, y, train[0], s))
        wrong = apart([scores[j] for j in CHECKED], exact, y, parts[0])
        rows.append(
            [f"scikit-learn {solver}, {n} x one fold", n * one, n * used, n * steps, *wrong, ratio(n * one, wall)]
        )
    best = min(float(row[1]) for row in rows[2:])  # type: ignore[arg-type]
    note = f"The faster of scikit-learn's solvers takes {best / wall:.1f} times as long as ours for all strengths, and "
    note += f"{best / study:.1f} times as long as a study, which stops where nothing more is to be gained."
    columns = ["", "s", "s of processor", "iterations", "scores within", "accuracy within, points", "time to ours"]
    return Table(f"{n} folds x {len(STRENGTHS)} strengths, {name}", columns, rows, [note])


def apart(
    scores: Sequence[np.ndarray] = (),
    exact: Sequence[np.ndarray] = (),
    y: np.ndarray | None = None,
    split: Split | None = None,
) -> list[str]:
    """How far scores and accuracies on the test fold are from the converged ones, at most, at the strengths checked."""
    if split is None or y is None:
        return ["", ""]
    test = split.test
    of_scores = max(float(np.abs(a[test] - b[test]).max()) for a, b in zip(scores, exact, strict=True))
    of_accuracy = max(
        100 * abs(float((a[test].argmax(1) == y[test]).mean() - (b[test].argmax(1) == y[test]).mean()))
        for a, b in zip(scores, exact, strict=True)
    )
    return [f"{of_scores:.1e}", f"{of_accuracy:.2f}"]


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Compare at each size."""
    if options.run:
        yield compare(*of_run(options.run), name=f"features of {options.run.name}")
        return
    sizes = options.sizes or (SMALL_SIZES if options.quick else SIZES)
    for size in sizes.split(","):
        n, d = map(int, size.split("x"))
        yield compare(*made_up(n, d), name=f"{n:,} rows x {d:,} features")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--sizes", help=f"default: {SIZES}")
    parser.add_argument("--run", type=Path, help="a run of study.py, whose features are taken from the store")


if __name__ == "__main__":
    main(run, __doc__, arguments)
