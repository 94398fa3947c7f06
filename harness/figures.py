"""Accuracy as every command and every file quotes it: the mean over folds, in percent with one decimal."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

__all__ = ["accuracy_by_fold", "percent", "spread"]


def accuracy_by_fold(predictions: pd.DataFrame) -> dict[str, float]:
    """Share of right predictions in each fold, in [0, 1]; their mean is the figure of a combination and seed.

    Parameters
    ----------
    predictions : DataFrame
        Rows of ``predictions.csv`` of one combination and seed.
    """
    right = predictions["predicted"] == predictions["label"]
    return {str(fold): float(share) for fold, share in right.groupby(predictions["fold"]).mean().items()}


def spread(mean: float, std: float | None) -> str:
    """Mean and deviation in percent: ``94.3 ± 2.3``; without a deviation the mean alone."""
    return percent(mean) if std is None or np.isnan(std) else f"{percent(mean)} ± {percent(std)}"


def percent(share: float) -> str:
    """A share as percent with one decimal, halves away from 0 as people round; empty for NaN.

    Examples
    --------
    >>> percent(0.9425), percent(-0.0025)
    ('94.3', '-0.3')
    """
    if np.isnan(share):
        return ""
    tenths = math.floor(abs(share) * 1000 + 0.5 + 1e-9)  # 0.9425 is a hair below 94.25 %
    return f"{'-' if share < 0 and tenths else ''}{tenths // 10}.{tenths % 10}"
