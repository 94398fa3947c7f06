"""A model folder, loaded and ready to score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModuleError
from harness.hub.base import run_batch
from harness.hub.tensorflow import import_tensorflow
from harness.model import ModelCard, read_card

__all__ = ["Model", "load_model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Parameters
    ----------
    card : ModelCard
        What ``model.json`` says.
    signature : callable
        The SavedModel's serving signature.
    """

    card: ModelCard
    signature: Callable[..., Any]

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Class probabilities.

        Parameters
        ----------
        batch : ndarray
            Pictures, uint8 (n, H, W, 3), of the model's size; or waveforms, float32 (n, samples), at its rate.

        Returns
        -------
        ndarray of float64, shape (n, classes)
            In the order of ``card.classes``; the same whatever else is in the batch.
        """

        def predict(x: Any) -> Any:
            return self.signature(**{self.card.takes: x})["prediction"]

        return run_batch(predict, batch).astype(np.float64)


def load_model(folder: str | Path) -> Model:
    """Load a model folder.

    Raises
    ------
    ModuleError
        No model there, or one that cannot be loaded.
    """
    card = read_card(folder)
    tf = import_tensorflow()
    try:
        loaded = tf.saved_model.load(str(folder))
        signature = loaded.signatures["serving_default"]
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModuleError(f"{folder}: the model cannot be loaded ({' '.join(str(error).split())[:160]})") from error
    signature.owner = loaded  # a signature alone does not keep its variables alive
    return Model(card, signature)
