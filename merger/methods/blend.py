"""The merge method ``blend``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from pydantic import PlainValidator, model_validator

from harness.settings import field_error, is_number
from merger.pixels import Names, check_sizes
from merger.spec import MergeMethod

__all__ = ["Blend"]


def _weights(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or not all(is_number(weight) and weight >= 0 for weight in value):
        raise ValueError("must be numbers of 0 or more")
    if not any(value):
        raise ValueError("at least one must be above 0")
    return tuple(float(weight) for weight in value)


class Blend(MergeMethod):
    """Weighted mean of images.

    Parameters
    ----------
    of : tuple of str
        Encodings.
    weights : tuple of float
        One for each; not negative, not all 0. Only their ratios matter. Default: equal.
    """

    name = "blend"

    of: Names
    weights: Annotated[tuple[float, ...], PlainValidator(_weights)]

    @model_validator(mode="before")
    @classmethod
    def _equal_weights(cls, values: Any) -> Any:
        of = values.get("of") if isinstance(values, Mapping) else None
        return {"weights": [1.0] * len(of), **values} if isinstance(of, (list, tuple)) and of else values

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if len(self.weights) != len(self.of):
            raise field_error("weights", f"must be one number for each of {len(self.of)} encodings")
        return self

    def merge(self, images: Mapping[str, np.ndarray]) -> np.ndarray:
        """The weighted mean, rounded to the nearest; images of one size."""
        check_sizes(images, self.of, equal="sizes")
        total = np.zeros(images[self.of[0]].shape, np.float64)
        for name, weight in zip(self.of, self.weights, strict=True):
            total += weight * images[name]
        return np.floor(total / sum(self.weights) + 0.5).astype(np.uint8)
