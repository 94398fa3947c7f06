"""The batched optimiser: scikit-learn's answers, in every shape that a cross-validation brings."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from trainer import lbfgs
from trainer.head import Head
from trainer.lbfgs import STRENGTHS, LogisticSettings, fit, fit_many

TIGHT = LogisticSettings(tolerance=1e-9, max_iter=20_000)


def problem(
    n: int, features: int, classes: int = 4, *, noise: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian classes that overlap, features of very different sizes and offsets."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    centres = rng.standard_normal((classes, features))
    x = centres[targets] + noise * rng.standard_normal((n, features))
    x = x * 10.0 ** rng.uniform(-2, 2, features) + rng.uniform(-5, 5, features)
    return x.astype(np.float32), targets


def sklearn_scores(x: np.ndarray, y: np.ndarray, rows: np.ndarray, strength: float) -> np.ndarray:
    """Probabilities of all rows by scikit-learn, fitted on some; features standardised on those."""
    scaler = StandardScaler().fit(x[rows].astype(np.float64))
    model = LogisticRegression(C=strength, solver="newton-cg", tol=1e-12, max_iter=10_000)
    model.fit(scaler.transform(x[rows].astype(np.float64)), y[rows])
    scores = np.zeros((len(x), y.max() + 1))
    scores[:, model.classes_] = model.predict_proba(scaler.transform(x.astype(np.float64)))
    return scores


def objective_gradient(head: Head, x: np.ndarray, y: np.ndarray, strength: float) -> np.ndarray:
    """Gradient of the mean loss and penalty over standardised features, at a head for raw features."""
    x = x.astype(np.float64)
    sigma = x.std(axis=0)
    residual = head.scores(x)
    residual[np.arange(len(y)), y] -= 1
    standardised = np.divide(x - x.mean(axis=0), sigma, out=np.zeros_like(x), where=sigma > 0)
    weights = standardised.T @ residual / len(y) + head.weights * sigma[:, None] / (strength * len(y))
    return np.vstack([weights, residual.mean(axis=0)])


@pytest.mark.parametrize("strength", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize(("n", "features"), [(120, 12), (40, 90), (30, 30)], ids=["n>D", "n<D", "n=D"])
def test_agrees_with_scikit_learn(n: int, features: int, strength: float) -> None:
    x, y = problem(n, features)
    rows = np.arange(0, n - n // 4)
    expected = sklearn_scores(x, y, rows, strength)
    head = fit_many(x, y, 4, train=[rows], strengths=[strength], settings=TIGHT)[0][0]
    np.testing.assert_allclose(head.scores(x), expected, atol=1e-5)
    usual = fit_many(x, y, 4, train=[rows], strengths=[strength])[0][0]
    np.testing.assert_allclose(usual.scores(x), expected, atol=2e-3)


def test_the_gradient_at_the_solution_is_as_small_as_was_asked_for() -> None:
    x, y = problem(80, 20)
    for strength in STRENGTHS:
        head = fit(x, y, 4, strength=strength)
        assert np.abs(objective_gradient(head, x, y, strength)).max() < 5e-6, strength


@pytest.mark.parametrize("features", [10, 100])
def test_constant_features_count_for_nothing(features: int) -> None:
    x, y = problem(60, features)
    rows = np.arange(45)
    constant = np.full((60, 3), [0.0, 7.3, -1e5], np.float32)
    constant[50:] += 1e3  # not constant elsewhere: must not matter either
    plain = fit_many(x, y, 4, train=[rows], strengths=[0.1], settings=TIGHT)[0][0]
    more = fit_many(np.hstack([x, constant]), y, 4, train=[rows], strengths=[0.1], settings=TIGHT)[0][0]
    assert np.all(more.weights[features:] == 0)
    np.testing.assert_allclose(more.scores(np.hstack([x, constant])), plain.scores(x), atol=1e-6)
    np.testing.assert_allclose(plain.scores(x), sklearn_scores(x, y, rows, 0.1), atol=1e-5)


def test_all_features_constant_gives_the_shares_of_the_classes() -> None:
    y = np.array([0, 0, 0, 1, 1, 2])
    head = fit(np.ones((6, 5), np.float32), y, 3, strength=1.0)
    np.testing.assert_allclose(head.scores(np.ones((1, 5), np.float32)), [[1 / 2, 1 / 3, 1 / 6]], atol=1e-4)


def test_a_class_that_a_training_set_lacks_is_never_its_answer() -> None:
    x, y = problem(60, 8)
    rows = np.flatnonzero(y != 2)
    for strength in (0.01, 1.0):
        scores = fit_many(x, y, 4, train=[rows], strengths=[strength])[0][0].scores(x)
        assert np.isfinite(scores).all()
        assert (scores.argmax(axis=1) != 2).all()
        expected = sklearn_scores(x, y, rows, strength)  # knows three classes only
        others = scores[:, [0, 1, 3]] / scores[:, [0, 1, 3]].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(others, expected[:, [0, 1, 3]], atol=0.02)
        assert scores[rows, 2].max() < 0.01


@pytest.mark.parametrize("features", [9, 70])
def test_many_at_once_are_the_same_as_one_at_a_time(features: int) -> None:
    x, y = problem(64, features)
    rng = np.random.default_rng(1)
    train = [np.sort(rng.choice(64, size, replace=False)) for size in (40, 64, 25)]  # n < D and n >= D together
    strengths = (1e-3, 0.03, 1.0)
    together = fit_many(x, y, 4, train=train, strengths=strengths, settings=TIGHT)
    for rows, heads in zip(train, together, strict=True):
        for strength, head in zip(strengths, heads, strict=True):
            alone = fit(x[rows], y[rows], 4, strength=strength, settings=TIGHT)
            np.testing.assert_allclose(head.scores(x), alone.scores(x), atol=1e-6)


def test_a_row_of_strengths_for_each_training_set() -> None:
    x, y = problem(60, 10)
    train = [np.arange(0, 40), np.arange(20, 60)]
    heads = fit_many(x, y, 4, train=train, strengths=np.array([[1e-3], [1.0]]), settings=TIGHT)
    for rows, strength, (head,) in zip(train, (1e-3, 1.0), heads, strict=True):
        np.testing.assert_allclose(head.scores(x), sklearn_scores(x, y, rows, strength), atol=1e-5)


@pytest.mark.parametrize(("n", "features"), [(120, 30), (50, 200), (600, 150)])
def test_single_precision_is_close_to_double(n: int, features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(n, features)
    train = [np.arange(0, n - 10), np.arange(10, n)]
    steps: list[np.dtype] = []
    search = lbfgs._Lbfgs._line_search
    monkeypatch.setattr(
        lbfgs._Lbfgs, "_line_search", lambda self, x, *args: (steps.append(x.dtype), search(self, x, *args))[1]
    )
    double = fit_many(x, y, 4, train=train, strengths=STRENGTHS)
    taken = len(steps)
    monkeypatch.setattr(lbfgs, "_SINGLE_ABOVE", 0)
    single = fit_many(x, y, 4, train=train, strengths=STRENGTHS)
    assert set(steps[:taken]) == {np.dtype(np.float64)}
    assert set(steps[taken:]) == {np.dtype(np.float32)}
    assert len(steps) - taken <= 3 * taken, "single precision goes on although it gets no further"
    for many, few in zip(double, single, strict=True):
        for strength, a, b in zip(STRENGTHS, many, few, strict=True):
            assert b.weights.dtype == np.float32
            np.testing.assert_allclose(b.scores(x), a.scores(x), atol=1e-4, err_msg=f"C={strength}")


def test_problems_that_do_not_fit_together_are_solved_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(60, 10)
    train = [np.arange(k, k + 40) for k in range(5)]
    expected = fit_many(x, y, 4, train=train, strengths=[0.1], settings=TIGHT)
    solved: list[int] = []
    real = lbfgs._solve
    monkeypatch.setattr(lbfgs, "_solve", lambda s, *args: (solved.append(len(s)), real(s, *args))[1])
    monkeypatch.setattr(lbfgs, "_TOGETHER", 2 * 40 * 10)
    got = fit_many(x, y, 4, train=train, strengths=[0.1], settings=TIGHT)
    assert solved == [2, 2, 1]
    for (a,), (b,) in zip(expected, got, strict=True):
        np.testing.assert_allclose(a.scores(x), b.scores(x), atol=1e-6)


@pytest.mark.parametrize("features", [20, 300])
def test_the_same_input_gives_the_same_bits(features: int) -> None:
    x, y = problem(100, features)
    train = [np.arange(0, 80), np.arange(20, 100)]
    first = fit_many(x, y, 4, train=train, strengths=STRENGTHS)
    second = fit_many(x.copy(), y.copy(), 4, train=train, strengths=STRENGTHS)
    for a, b in zip(first, second, strict=True):
        for one, two in zip(a, b, strict=True):
            assert one.weights.tobytes() == two.weights.tobytes()
            assert one.bias.tobytes() == two.bias.tobytes()


def test_separable_data_ends() -> None:
    x, y = problem(40, 60, noise=0.01)
    head = fit(x, y, 4, strength=1e4)
    assert (head.scores(x).argmax(axis=1) == y).all()
    assert np.isfinite(head.weights).all()


@pytest.mark.parametrize("features", [40, 3000])
def test_features_that_move_together_are_solved_too(features: int) -> None:
    """As those of scattering: descent crawls along them, and must not be cut short."""
    rng = np.random.default_rng(0)
    targets = np.arange(120) % 5
    few = rng.standard_normal((5, 6))[targets] + rng.standard_normal((120, 6))
    x = (few @ rng.standard_normal((6, features)) + 1e-3 * rng.standard_normal((120, features))).astype(np.float32)
    for strength, head in zip(
        STRENGTHS, fit_many(x, targets, 5, train=[np.arange(120)], strengths=STRENGTHS)[0], strict=True
    ):
        assert np.abs(objective_gradient(head, x, targets, strength)).max() < 1e-6, f"C={strength}"
