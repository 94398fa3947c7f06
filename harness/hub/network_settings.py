"""How a network is trained: what a study may say of it, and what holds where it says nothing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import PlainValidator

from harness.settings import Check, Count, PositiveFloat, PositiveInt, Settings, at_least, is_number

__all__ = [
    "FINE_TUNING",
    "Amount",
    "Monitor",
    "NetworkSettings",
    "Optimizer",
    "Schedule",
    "Share",
    "Start",
    "without_effect",
]

Optimizer = Literal["adam", "sgd"]
Schedule = Literal["constant", "cosine", "step"]
Monitor = Literal["loss", "accuracy"]
Start = Literal["fitted", "random"]


def without_effect(given: Collection[str], settings: NetworkSettings) -> tuple[str, str] | None:
    """A setting that was given and changes nothing, or keeps the module from being trained; and why.

    Parameters
    ----------
    given : collection of str
        Names of the settings that were given.
    settings : NetworkSettings
        What holds, with what was not given.
    """
    if "momentum" in given and settings.optimizer != "sgd":
        return "momentum", f"the optimizer is {settings.optimizer}; leave it out, or give optimizer = 'sgd'"
    if "monitor" in given and not settings.patience:
        return "monitor", "with patience = 0 nothing is chosen; leave it out, or give another patience"
    if settings.warmup_epochs >= settings.epochs:
        return "warmup_epochs", f"must be below epochs={settings.epochs}, or the last layer alone is ever trained"
    return None


def _below(most: float) -> Check:
    def check(value: Any) -> float:
        if not is_number(value) or not 0 <= value < most:
            raise ValueError(f"must be a number from 0, below {most:g}")
        return float(value)

    return check


Share = Annotated[float, PlainValidator(_below(1))]
Amount = Annotated[float, PlainValidator(at_least(0))]


class NetworkSettings(Settings):
    """How a network is trained.

    Parameters
    ----------
    epochs : int
        Most times that all training clips are seen.
    patience : int
        Training ends early when so many epochs in a row were no better on the validation fold; the clips of the tested
        fold are scored by a network that was trained for the best number of epochs. 0: exactly `epochs`, and nothing
        is chosen.
    monitor : str
        What is better on the validation fold: a lower ``loss`` (log loss) or a higher ``accuracy``, of equals the
        lower loss.
    batch_size : int
        Clips in a step.
    optimizer : str
        ``adam``, or ``sgd`` with momentum.
    learning_rate : float
        At the start.
    momentum : float
        Of ``sgd``, 0 to below 1.
    schedule : str
        Of the learning rate: ``constant``; ``cosine``, down to 0 after `epochs`; ``step``, a tenth after half of them
        and a hundredth after three quarters.
    clip_norm : float
        Longest gradient over all weights; 0: any.
    dropout : float
        Share of the last hidden layer that is left out in a step, 0 to below 1.
    label_smoothing : float
        Share of the target that is spread over all classes, 0 to below 1.
    l1, l2 : float
        Times the sum of the absolute values, or of the squares, of the weights (not of biases), added to the loss.
    warmup_epochs : int
        Epochs at the start in which the last layer alone is trained.
    start : str
        The last layer at the start: ``fitted``, the head of the module without fine-tuning (`lbfgs`), or ``random``.
    spec_augment : float
        Masks on the image (SpecAugment), two in time and two in frequency, each at most so large a share of the
        width or of the height; 0: none.
    time_shift : float
        Images are shifted in time, round the end, by at most this share of the width; 0: not.
    mixup : float
        Pairs of images are mixed in a proportion drawn from the beta distribution with both parameters this; 0: not.
    """

    epochs: PositiveInt = 60
    patience: Count = 10
    monitor: Monitor = "loss"
    batch_size: PositiveInt = 32
    optimizer: Optimizer = "adam"
    learning_rate: PositiveFloat = 1e-3
    momentum: Share = 0.9
    schedule: Schedule = "constant"
    clip_norm: Amount = 0.0
    dropout: Share = 0.5
    label_smoothing: Share = 0.0
    l1: Amount = 0.0
    l2: Amount = 0.0
    warmup_epochs: Count = 0
    start: Start = "random"
    spec_augment: Share = 0.0
    time_shift: Share = 0.0
    mixup: Amount = 0.0


FINE_TUNING = NetworkSettings(
    epochs=10, patience=4, optimizer="sgd", learning_rate=1e-3, schedule="cosine", clip_norm=1.0, dropout=0.2,
    label_smoothing=0.1, start="fitted",
)  # fmt: skip
"""How a module that has been trained elsewhere is trained further, where nothing else is said."""
