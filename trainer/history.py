"""The history of L-BFGS: the last steps of many problems, and how the gradients changed along them."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import numpy as np

__all__ = ["HISTORY", "History", "dot"]

HISTORY = 40
"""Arrays of the size of the parameters that a minimisation has at most, about."""
_PAIRS = HISTORY // 2


class History:
    """The last steps of F problems and how the gradients changed along them: what L-BFGS knows of the curvature.

    The products of all steps with all changes are there, too, so that the two loops of algorithm 7.5 go through the
    numbers of the pairs alone, and through the arrays of the size of the parameters in four matrix products.

    Parameters
    ----------
    like : ndarray of float, shape (F, K, D + 1)
        Parameters.
    """

    def __init__(self, like: np.ndarray) -> None:
        f, size = len(like), like[0].size
        self._shape = like.shape[1:]
        self._steps, self._changes = (np.zeros((f, _PAIRS, size), like.dtype) for _ in range(2))
        self._products = np.zeros((f, _PAIRS, _PAIRS), like.dtype)  # of step i and change j
        self._rho = np.zeros((f, _PAIRS), like.dtype)
        self._order: list[int] = []  # places of the pairs, the oldest first

    def only(self, which: np.ndarray) -> History:
        """That of some of the problems, by number."""
        part = copy(self)
        part._steps, part._changes = self._steps[which], self._changes[which]
        part._products, part._rho, part._order = self._products[which], self._rho[which], list(self._order)
        return part

    def add(self, step: np.ndarray, change: np.ndarray) -> None:
        """Add a pair (F, K, D + 1) each; the oldest goes where there are too many."""
        place = self._order.pop(0) if len(self._order) == _PAIRS else len(self._order)
        self._order.append(place)
        self._steps[:, place], self._changes[:, place] = (each.reshape(len(step), -1) for each in (step, change))
        self._products[:, :, place] = _times(self._steps, self._changes[:, place])
        self._products[:, place] = _times(self._changes, self._steps[:, place])
        self._rho[:, place] = self._inverse(place)

    def penalties_changed(self, by: np.ndarray) -> None:
        """Take a change (F,) of the penalties into account, which the gradients of all weights have."""
        f, n = len(by), len(self._order)
        steps, changes = (each[:, :n].reshape(f, n, *self._shape) for each in (self._steps, self._changes))
        changes[..., :-1] += by[:, None, None, None] * steps[..., :-1]
        self._products[:, :n, :n] = self._steps[:, :n] @ self._changes[:, :n].transpose(0, 2, 1)
        for place in self._order:
            self._rho[:, place] = self._inverse(place)

    def _inverse(self, place: int) -> np.ndarray:
        """1 / the product of a step with its change; 0 where that says nothing."""
        step, change, curvature = self._steps[:, place], self._changes[:, place], self._products[:, place, place]
        good = curvature > np.finfo(step.dtype).eps * np.sqrt(dot(step, step) * dot(change, change))
        return np.divide(1.0, curvature, out=np.zeros_like(curvature), where=good)

    def direction(self, gradient: np.ndarray, precondition: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The inverse Hessian, as far as it is known, times a gradient (F, K, D + 1)."""
        q = gradient.reshape(len(gradient), -1)
        along, alpha, back = _times(self._steps, q), np.zeros_like(self._rho), np.zeros_like(self._rho)
        for place in reversed(self._order):
            left = along[:, place] - np.einsum("fj,fj->f", self._products[:, place], alpha)
            alpha[:, place] = self._rho[:, place] * left
        q = q - (alpha[:, None] @ self._changes)[:, 0]
        q = precondition(q.reshape(gradient.shape)).reshape(q.shape)
        along = _times(self._changes, q)
        for place in self._order:
            done = along[:, place] + np.einsum("fi,fi->f", self._products[:, :, place], back)
            back[:, place] = alpha[:, place] - self._rho[:, place] * done
        q += (back[:, None] @ self._steps)[:, 0]
        return q.reshape(gradient.shape)


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products (F, m) of m vectors (F, m, d) with one (F, d)."""
    result: np.ndarray = (a @ b[..., None])[..., 0]
    return result


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Products (F,) of the arrays of each problem, (F, ...)."""
    f = len(a)
    result: np.ndarray = np.einsum("fd,fd->f", a.reshape(f, -1), b.reshape(f, -1))
    return result
