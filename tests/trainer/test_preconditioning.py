"""The preconditioner: the inverse Hessian where it claims to be, and worth its cost."""

from __future__ import annotations

import numpy as np
import pytest

from trainer import preconditioning
from trainer.logistic import LogisticSettings, Regression
from trainer.preconditioning import RotatedNewton, Spectrum, SubspaceNewton


def problem(n: int, features: int, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes, features whose spectrum falls steeply."""
    rng = np.random.default_rng(5)
    y = np.arange(n) % classes
    latent = rng.normal(size=(n, features)) * (1 + np.arange(features)) ** -0.7
    latent[:, :classes] += np.eye(classes)[y]
    return (latent @ rng.normal(size=(features, features))).astype(np.float32), y


def scores_of(x: np.ndarray, weight: float = 0.7, classes: int = 4) -> np.ndarray:
    """Probabilities (classes, n) of some weights."""
    raised = np.exp(x @ (weight * np.random.default_rng(7).normal(size=(x.shape[1], classes))))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True)).T


def hessian(x: np.ndarray, p: np.ndarray, weight: np.ndarray, shrink: float) -> np.ndarray:
    """From the definition, row by row; the bias last for each class."""
    x = np.column_stack([x, np.ones(len(x))])
    total = sum(
        w * np.kron(np.diag(q) - np.outer(q, q), np.outer(row, row)) for w, q, row in zip(weight, p.T, x, strict=True)
    )
    penalty = np.tile([shrink] * (x.shape[1] - 1) + [0.0], len(p))
    return np.asarray(total) + np.diag(penalty)


def test_in_the_leading_directions_it_is_the_inverse_of_the_hessian() -> None:
    values, _ = problem(200, 6)
    values = ((values - values.mean(axis=0)) / values.std(axis=0)).astype(np.float64)
    weight = np.where(np.arange(200) < 150, 1 / 150, 0)[None]
    mean = (weight @ values).reshape(1, -1)
    p = scores_of(values)[None]
    made = SubspaceNewton.of(
        Spectrum.of(values, np.arange(200)), values, mean, p, weight, np.array([0.05]), np.ones(1, bool)
    )
    assert made.following.shape[1] == 0
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(1, 4, 7))
    gradient[..., -1] -= gradient[..., -1].mean()  # that of a loss: all biases together change nothing
    step = made(gradient)
    back = hessian(values - mean, p[0], weight[0], 0.05) @ step.ravel()
    assert back == pytest.approx(gradient.ravel(), abs=0.02)


def test_in_the_last_columns_of_a_rotated_design_it_is_the_inverse_too() -> None:
    values = np.linalg.qr(problem(200, 6)[0] - problem(200, 6)[0].mean(axis=0))[0]
    weight, p = np.full((1, 200), 1 / 200), scores_of(values)[None]
    made = RotatedNewton.of([values], np.full((1, 6), 1 / 200), p, weight, np.array([0.05]), np.ones(1, bool))
    gradient = np.random.default_rng(0).normal(size=(1, 4, 7))
    gradient[..., -1] -= gradient[..., -1].mean()
    back = hessian(values, p[0], weight[0], 0.05) @ made(gradient).ravel()
    assert back == pytest.approx(gradient.ravel(), abs=0.02)


@pytest.mark.parametrize(("features", "classes"), [(40, 4), (300, 4), (40, 30), (40, 700)])
def test_it_is_symmetric_and_positive(features: int, classes: int) -> None:
    values, _ = problem(500, features, classes=min(classes, features))
    p = scores_of(values, 0.1, classes)[None]
    weight, shrink = np.full((1, 500), 1 / 500), np.array([1e-3])
    mean = values.mean(axis=0, keepdims=True)
    made = SubspaceNewton.of(Spectrum.of(values, np.arange(500)), values, mean, p, weight, shrink, np.ones(1, bool))
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 1, classes, features + 1))
    assert np.vdot(a, made(b)) == pytest.approx(np.vdot(made(a), b), rel=1e-4, abs=1e-3)
    assert np.vdot(a, made(a)) > 0


def test_a_solution_takes_half_the_iterations_or_less(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(2600, 900, classes=10)
    rows = np.flatnonzero(np.arange(len(y)) % 5)

    def iterations() -> tuple[int, np.ndarray]:
        path = Regression(x, y, 10, [rows]).path([rows])
        assert path.large
        path.solve(np.array([0.1]), LogisticSettings())
        return path.iterations, path.heads()[0].scores(x)

    few, scores = iterations()
    monkeypatch.setattr(preconditioning, "_NEWTON_SIZE", 0)
    many, expected = iterations()
    assert few * 2 < many
    np.testing.assert_allclose(scores, expected, atol=1e-3)
