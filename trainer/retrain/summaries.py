"""TensorBoard summaries under ``train/`` and ``validation/``, with the tags of the old script.

Events hold plain scalars and histograms, which every version of TensorBoard reads. Of the files in the folder, only
the event files that an earlier run wrote to these two are removed.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from harness.head import Head
from harness.hub.tensorflow import import_tensorflow
from trainer.sgd import cross_entropy

__all__ = ["Summaries"]

_RUNS = ("train", "validation")
_BINS = 30


class Summaries:
    """Writers of the two runs; a context manager.

    Parameters
    ----------
    folder : path
        Of ``train/`` and ``validation/``; made where needed.
    append : bool
        Whether events of an earlier run stay, as when a training goes on.
    """

    def __init__(self, folder: str | Path, *, append: bool = False) -> None:
        self._tf = import_tensorflow()
        self._writers: dict[str, Any] = {}
        for run in _RUNS:
            events = Path(folder) / run
            events.mkdir(parents=True, exist_ok=True)
            if not append:
                for old in events.glob("events.out.tfevents.*"):
                    old.unlink()
            with self._tf.Graph().as_default():  # the plain writer takes no eager context
                suffix = f".{time.time_ns()}"  # or a run of the same second would overwrite the one before
                self._writers[run] = self._tf.compat.v1.summary.FileWriter(str(events), filename_suffix=suffix)

    def __enter__(self) -> Summaries:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    def loss(self, run: str, step: int, *, scores: np.ndarray, targets: np.ndarray) -> None:
        """Write cross entropy and accuracy of one batch.

        Parameters
        ----------
        run : str
            ``train`` or ``validation``.
        step : int
        scores : ndarray of float, shape (n, classes)
        targets : ndarray of int, shape (n,)
        """
        accuracy = float((scores.argmax(axis=1) == targets).mean())
        self._add(run, step, {"cross_entropy_1": cross_entropy(scores, targets), "accuracy_1": accuracy})

    def head(self, run: str, step: int, *, head: Head, features: np.ndarray, scores: np.ndarray) -> None:
        """Write weights, biases, logits and probabilities of a batch of feature vectors.

        Parameters
        ----------
        run, step
            As for :meth:`loss`.
        head : Head
        features : ndarray of float32, shape (n, features)
        scores : ndarray of float, shape (n, classes)
            What the head gives for them.
        """
        scalars: dict[str, float] = {}
        histograms: dict[str, np.ndarray] = {}
        for part, values in (("weights", head.weights), ("biases", head.bias)):
            prefix = f"final_retrain_ops/{part}/summaries"
            scalars[f"{prefix}/mean"] = float(values.mean())
            scalars[f"{prefix}/stddev_1"] = float(values.std())
            scalars[f"{prefix}/max"] = float(values.max())
            scalars[f"{prefix}/min"] = float(values.min())
            histograms[f"{prefix}/histogram"] = values
        histograms["final_retrain_ops/Wx_plus_b/pre_activations"] = features @ head.weights + head.bias
        histograms["activations"] = scores
        self._add(run, step, scalars, histograms)

    def _add(
        self, run: str, step: int, scalars: dict[str, float], histograms: dict[str, np.ndarray] | None = None
    ) -> None:
        summary = self._tf.compat.v1.Summary()
        for tag, value in scalars.items():
            summary.value.add(tag=tag, simple_value=value)
        for tag, values in (histograms or {}).items():
            _fill_histogram(summary.value.add(tag=tag).histo, values)
        self._writers[run].add_summary(summary, step)


def _fill_histogram(histogram: Any, values: np.ndarray) -> None:
    """Fill a histogram message: bin counts with their right edges, and the sums that TensorBoard shows."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    low, high = float(flat.min()), float(flat.max())
    counts, edges = np.histogram(flat, bins=_BINS, range=(low, high) if high > low else (low - 0.5, low + 0.5))
    histogram.min, histogram.max, histogram.num = low, high, len(flat)
    histogram.sum, histogram.sum_squares = float(flat.sum()), float(np.square(flat).sum())
    histogram.bucket_limit.extend(edges[1:].tolist())
    histogram.bucket.extend(counts.astype(float).tolist())
