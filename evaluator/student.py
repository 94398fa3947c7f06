"""Student's t distribution, by its incomplete beta function: what a dozen pairs need is not worth loading scipy for.

Agrees with :func:`scipy.special.stdtr` to twelve digits and more, in the tails too.
"""

from __future__ import annotations

import math
from functools import lru_cache

__all__ = ["upper_quantile", "upper_tail"]

_STEPS = 10_000  # of the continued fraction; some ten are usual
_EPSILON = 1e-16
_TINY = 1e-300  # in place of 0, which cannot be divided by


def upper_tail(t: float, df: int) -> float:
    """Probability of a value above `t`, in [0, 1].

    Parameters
    ----------
    t : float
    df : int
        Degrees of freedom, 1 or more.

    Examples
    --------
    >>> round(upper_tail(2.262157, 9), 6), upper_tail(0.0, 4)
    (0.025, 0.5)
    """
    square = t * t
    if not math.isfinite(square):
        return math.nan if math.isnan(t) else float(t < 0)
    if square < 1:  # most of it lies beyond, and what lies before has its full precision
        beyond = 0.5 - 0.5 * _beta(0.5, df / 2, square / (df + square), df / (df + square))
    else:
        beyond = 0.5 * _beta(df / 2, 0.5, df / (df + square), square / (df + square))
    return beyond if t >= 0 else 1 - beyond


@lru_cache(maxsize=1024)
def upper_quantile(p: float, df: int) -> float:
    """The t that is exceeded with probability `p`, by bisection.

    Parameters
    ----------
    p : float
        Above 0, at most 0.5.
    df : int
        Degrees of freedom, 1 or more.

    Examples
    --------
    >>> round(upper_quantile(0.025, 9), 6)
    2.262157
    """
    low, high = 0.0, 1.0
    while upper_tail(high, df) > p:
        low, high = high, 2 * high
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if upper_tail(middle, df) > p else (low, middle)
    return high


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """Regularised incomplete beta function of x, where `rest` is 1 - x, by its continued fraction (Lentz's method)."""
    if x == 0:
        return 0.0
    if x > (a + 1) / (a + b + 2):  # where the fraction of the other end goes faster
        return 1 - _beta(b, a, rest, x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)) / a
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        before = value
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _not_zero(1 + factor * d)
            c = _not_zero(1 + factor / c)
            value *= c * d
        if abs(value - before) <= _EPSILON * abs(value):
            break
    return front * value


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
