"""One network in TensorFlow: its weights, a training step, its features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.head import Head
from harness.hub.base import HubModule
from harness.hub.devices import gpu_found
from harness.hub.network_settings import NetworkSettings
from harness.hub.tensorflow import import_tensorflow
from trainer.networks.augmenting import augment

__all__ = ["SCORED", "Network", "learning_rate", "trained_variables"]

_BETAS = (0.9, 0.999)  # of Adam
_EPSILON = 1e-7
SCORED = 32  # images that are scored at a time


def trained_variables(module: HubModule) -> list[Any]:
    """The variables that a module's features depend on and that may be trained, in the order in which it reads them."""
    tf = import_tensorflow()
    with tf.GradientTape() as tape:
        module.function(tf.zeros((1, module.info.height, module.info.width, 3), tf.float32))
    return list(tape.watched_variables())


def learning_rate(settings: NetworkSettings, progress: float) -> float:
    """Learning rate after a share of all epochs, 0 to 1.

    Examples
    --------
    >>> at = [learning_rate(NetworkSettings(schedule=name, learning_rate=1.0), 0.5) for name in ("cosine", "step")]
    >>> [round(rate, 3) for rate in at]
    [0.5, 0.1]
    """
    factor = 1.0
    if settings.schedule == "cosine":
        factor = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    elif settings.schedule == "step":
        factor = 0.1 ** ((progress >= 0.5) + (progress >= 0.75))
    return settings.learning_rate * factor


class Network:
    """A module and the layer that gives the classes, to be trained.

    Parameters
    ----------
    module : HubModule
        An image module with variables that may be trained.
    n_classes : int
    settings : NetworkSettings

    Attributes
    ----------
    body : list of tf.Variable
        The module's variables that are trained; empty where it has none.
    original : list of ndarray
        Their values as the module was given.
    """

    def __init__(self, module: HubModule, n_classes: int, settings: NetworkSettings) -> None:
        tf = import_tensorflow()
        if gpu_found():  # on a processor the same steps give the same numbers anyway
            tf.config.experimental.enable_op_determinism()
        self.module, self.settings, self.n_classes = module, settings, n_classes
        self.body = trained_variables(module)
        self.original = [v.numpy() for v in self.body]
        self.last = [tf.Variable(tf.zeros((module.info.features, n_classes))), tf.Variable(tf.zeros((n_classes,)))]
        n_slots = 2 if settings.optimizer == "adam" else 1
        self.slots = [[tf.Variable(tf.zeros(v.shape)) for _ in range(n_slots)] for v in self.trained]
        self.step_count = tf.Variable([0.0, 0.0])  # of the module, which rests in a warm-up, and of the last layer
        self._steps: dict[tuple[int, bool], Any] = {}
        self._features = tf.function(
            module.function, [tf.TensorSpec((None, module.info.height, module.info.width, 3))], autograph=False
        )

    @property
    def trained(self) -> list[Any]:
        """All variables that are trained: the module's, then weights and bias of the last layer."""
        return [*self.body, *self.last]

    def head(self) -> Head:
        """The last layer."""
        return Head(*(v.numpy() for v in self.last))

    def begin(self, rng: np.random.Generator, *, body: Sequence[np.ndarray] | None, head: Head | None) -> None:
        """Set all weights to what training starts from.

        Parameters
        ----------
        rng : Generator
            Draws the weights that are not given, as Glorot and Bengio (2010) do; biases are 0.
        body : sequence of ndarray, optional
            The module's variables.
        head : Head, optional
            The last layer.
        """
        given: list[np.ndarray | None] = [None] * len(self.body) if body is None else list(body)
        given += [head.weights, head.bias] if head else [None, None]
        for v, value in zip(self.trained, given, strict=True):
            v.assign(_drawn(rng, v.shape) if value is None else value)
        for v in [self.step_count, *(slot for slots in self.slots for slot in slots)]:
            v.assign(np.zeros(v.shape, np.float32))

    def weights(self) -> list[np.ndarray]:
        """The values of all trained variables."""
        return [v.numpy() for v in self.trained]

    def state(self) -> list[np.ndarray]:
        """All that the next step depends on: weights, then what the optimizer remembers."""
        return [v.numpy() for v in self._all()]

    def restore(self, values: Sequence[np.ndarray]) -> None:
        """Set what :meth:`weights` or :meth:`state` gave."""
        for v, value in zip(self._all(), values, strict=False):
            v.assign(value)

    def _all(self) -> list[Any]:
        return [*self.trained, self.step_count, *(slot for slots in self.slots for slot in slots)]

    def step(
        self, images: np.ndarray, targets: np.ndarray, seed: tuple[int, int], *, rate: float, last_only: bool
    ) -> tuple[float, int]:
        """Train on one batch.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, H, W, 3)
        targets : ndarray of int, shape (n,)
        seed : (int, int)
            For all that is random in the step.
        rate : float
            Learning rate.
        last_only : bool
            Whether the last layer alone is trained.

        Returns
        -------
        (float, int)
            Mean loss, regularisation left out, and how many images were classified rightly (before mixing, by their
            larger part).
        """
        tf = import_tensorflow()
        known = self._steps.get((len(images), last_only))
        if known is None:
            known = self._steps[len(images), last_only] = self._traced(len(images), last_only)
        loss, right = known(
            tf.constant(images), tf.constant(targets, tf.int32), tf.constant(seed, tf.int32), tf.constant(rate)
        )
        return float(loss), int(right)

    def _traced(self, n: int, last_only: bool) -> Any:
        tf, info, settings = import_tensorflow(), self.module.info, self.settings
        shapes = [((n, info.height, info.width, 3), tf.uint8), ((n,), tf.int32), ((2,), tf.int32), ((), tf.float32)]
        used = range(len(self.body) if last_only else 0, len(self.trained))
        variables = [self.trained[k] for k in used]

        def step(images: Any, labels: Any, seed: Any, rate: Any) -> tuple[Any, Any]:
            own = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
            x, y = augment(tf.cast(images, tf.float32) / 255, tf.one_hot(labels, self.n_classes), settings, own[0])
            with tf.GradientTape() as tape:
                features = self.module.function(x)
                if settings.dropout:
                    features = tf.nn.experimental.stateless_dropout(features, settings.dropout, seed=own[1])
                logits = tf.matmul(features, self.last[0]) + self.last[1]
                smooth = y * (1 - settings.label_smoothing) + settings.label_smoothing / self.n_classes
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(smooth, logits))
                total = loss + self._penalty(variables)
            gradients = tape.gradient(total, variables)
            if settings.clip_norm:
                gradients, _ = tf.clip_by_global_norm(gradients, settings.clip_norm)
            self.step_count.assign_add([0.0 if last_only else 1.0, 1.0])
            for k, gradient in zip(used, gradients, strict=True):
                if gradient is not None:
                    self._update(k, gradient, rate)
            right = tf.argmax(logits, axis=1) == tf.argmax(y, axis=1)
            return loss, tf.reduce_sum(tf.cast(right, tf.int32))

        return tf.function(step, [tf.TensorSpec(*each) for each in shapes], autograph=False)

    def _penalty(self, variables: Sequence[Any]) -> Any:
        tf, found = import_tensorflow(), 0.0
        for v in variables if self.settings.l1 or self.settings.l2 else ():
            if v.shape.rank > 1:
                found += self.settings.l1 * tf.reduce_sum(tf.abs(v)) + self.settings.l2 * tf.reduce_sum(v * v)
        return found

    def _update(self, k: int, gradient: Any, rate: Any) -> None:
        tf, v, slots = import_tensorflow(), self.trained[k], self.slots[k]
        if self.settings.optimizer == "sgd":
            slots[0].assign(self.settings.momentum * slots[0] - rate * gradient)
            v.assign_add(slots[0])
            return
        first, second = _BETAS
        step_count = self.step_count[int(k >= len(self.body))]
        tf.raw_ops.ResourceApplyAdam(
            var=v.handle, m=slots[0].handle, v=slots[1].handle, beta1_power=first**step_count,
            beta2_power=second**step_count, lr=rate, beta1=first, beta2=second, epsilon=_EPSILON, grad=gradient,
        )  # fmt: skip

    def features(self, images: np.ndarray) -> np.ndarray:
        """Feature vectors of the last hidden layer, nothing left out.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, H, W, 3)

        Returns
        -------
        ndarray of float32, shape (n, features)
        """
        tf, found = import_tensorflow(), [np.zeros((0, self.module.info.features), np.float32)]
        for start in range(0, len(images), SCORED):
            part = images[start : start + SCORED]
            padded = np.concatenate([part, np.repeat(part[-1:], SCORED - len(part), axis=0)])
            values = np.divide(padded, np.float32(255), dtype=np.float32)
            found.append(self._features(tf.constant(values)).numpy()[: len(part)])
        return np.concatenate(found)


def _drawn(rng: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Weights of a layer as Glorot and Bengio draw them (2010): uniform, by the numbers of inputs and outputs."""
    if len(shape) < 2:
        return np.zeros(shape, np.float32)
    field = math.prod(shape[:-2])
    limit = math.sqrt(6 / (field * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, tuple(shape)).astype(np.float32)
