"""Batched logistic regression: scikit-learn's answers, in every shape that a cross-validation brings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import corpora
from converter.pipeline import convert_clips
from converter.registry import ENCODINGS
from harness.head import Head
from harness.hub import parse
from harness.store import Store
from trainer import designs, logistic
from trainer.bottlenecks import image_features
from trainer.designs import Features, Rotated, Shared
from trainer.logistic import STRENGTHS, LogisticSettings, Regression, fit, fit_many

TIGHT = LogisticSettings(tolerance=1e-9, max_iter=20_000)


def even(n: int) -> np.ndarray:
    """Weights of n rows that are all in the one training set."""
    return np.full((1, n), 1 / n)


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
    np.testing.assert_allclose(usual.scores(x), expected, atol=1e-3)


def test_the_gradient_at_the_solution_is_small() -> None:
    x, y = problem(80, 20)
    for strength in STRENGTHS:
        head = fit(x, y, 4, strength=strength, settings=TIGHT)
        assert np.abs(objective_gradient(head, x, y, strength)).max() < 2e-7, strength


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
        np.testing.assert_allclose(others, expected[:, [0, 1, 3]], atol=1e-3)
        assert scores[:, 2].max() < 1e-6
        assert scores[:, 2].min() > 0


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
            np.testing.assert_allclose(head.scores(x), alone.scores(x), atol=1e-5)


def test_a_row_of_strengths_for_each_training_set() -> None:
    x, y = problem(60, 10)
    train = [np.arange(0, 40), np.arange(20, 60)]
    heads = fit_many(x, y, 4, train=train, strengths=np.array([[1e-3], [1.0]]), settings=TIGHT)
    for rows, strength, (head,) in zip(train, (1e-3, 1.0), heads, strict=True):
        np.testing.assert_allclose(head.scores(x), sklearn_scores(x, y, rows, strength), atol=1e-5)


@pytest.mark.parametrize(("n", "features"), [(120, 30), (50, 200), (600, 150)])
@pytest.mark.parametrize("rotated_up_to", [0, 1200])
def test_single_precision_is_close_to_double(
    n: int, features: int, rotated_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = problem(n, features)
    train = [np.arange(0, n - 10), np.arange(10, n)]
    monkeypatch.setattr(logistic, "_ROTATED_UP_TO", rotated_up_to)
    double = fit_many(x, y, 4, train=train, strengths=STRENGTHS)
    assert Features.of(x, even(n)).values.dtype == np.float64
    monkeypatch.setattr(designs, "_SINGLE_ABOVE", 0)
    single = fit_many(x, y, 4, train=train, strengths=STRENGTHS)
    assert Features.of(x, even(n)).values.dtype == np.float32
    for many, few in zip(double, single, strict=True):
        for strength, a, b in zip(STRENGTHS, many, few, strict=True):
            assert b.weights.dtype == np.float32
            np.testing.assert_allclose(b.scores(x), a.scores(x), atol=1e-3, err_msg=f"C={strength}")


@pytest.mark.parametrize(("n", "features"), [(90, 40), (60, 200)])
def test_both_designs_give_scikit_learns_answers(n: int, features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(n, features)
    rows = np.arange(n - 15)
    for rotated_up_to in (0, n):
        monkeypatch.setattr(logistic, "_ROTATED_UP_TO", rotated_up_to)
        design = Regression(x, y, 4, [rows]).path([rows])._problems.design
        assert isinstance(design, Rotated if rotated_up_to and n < features else Shared)
        for strength in (1e-3, 1.0):
            head = fit_many(x, y, 4, train=[rows], strengths=[strength], settings=TIGHT)[0][0]
            np.testing.assert_allclose(head.scores(x), sklearn_scores(x, y, rows, strength), atol=1e-5)


@pytest.mark.parametrize("rotated_up_to", [0, 1200])
def test_copies_of_a_column_are_solved_once_with_the_answer_of_all(
    rotated_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gray image's vector has three equal parts."""
    x, y = problem(60, 30)
    tripled = np.hstack([x, x, x, x[:, :1]])
    monkeypatch.setattr(logistic, "_ROTATED_UP_TO", rotated_up_to)
    assert Features.of(tripled, even(60)).values.shape == (60, 30)
    assert Features.of(tripled, even(60)).copies.tolist() == [4] + 29 * [3]
    rows = np.arange(45)
    head = fit_many(tripled, y, 4, train=[rows], strengths=[0.01], settings=TIGHT)[0][0]
    np.testing.assert_allclose(head.scores(tripled), sklearn_scores(tripled, y, rows, 0.01), atol=1e-6)
    np.testing.assert_array_equal(head.weights[:30], head.weights[30:60])
    alone = fit_many(x, y, 4, train=[rows], strengths=[0.03], settings=TIGHT)[0][0]  # three times the strength
    assert np.abs(head.scores(tripled) - alone.scores(x)).max() > 1e-4, "the fourth copy of column 0 must count"


def test_columns_that_differ_in_one_row_are_not_copies() -> None:
    x, _ = problem(200, 3)
    other = x.copy()
    other[101] += 1
    assert Features.of(np.hstack([x, other]), even(200)).values.shape == (200, 6)


@pytest.mark.parametrize("features", [12, 90])
def test_a_start_near_the_solution_does_not_change_it(features: int) -> None:
    x, y = problem(80, features)
    train = [np.arange(0, 60), np.arange(20, 80)]
    cold = Regression(x, y, 4, train).path(train)
    cold.solve(np.array([0.1, 0.01]), TIGHT)
    heads = cold.heads()
    warm = Regression(x, y, 4, train).path(train, start=heads)
    warm.solve(np.array([0.1, 0.01]), LogisticSettings(tolerance=1e-6))
    again = warm.heads()
    assert warm.iterations < 0.7 * cold.iterations
    for a, b in zip(heads, again, strict=True):
        np.testing.assert_allclose(a.scores(x), b.scores(x), atol=1e-5)


def test_part_of_a_path_goes_on_alone() -> None:
    x, y = problem(80, 12)
    train = [np.arange(0, 60), np.arange(20, 80), np.arange(10, 70)]
    path = Regression(x, y, 4, train).path(train)
    path.solve(np.full(3, 1e-3), TIGHT)
    rest = path.only(np.array([0, 2]))
    rest.solve(np.array([0.1, 0.1]), TIGHT)
    for head, rows in zip(rest.heads(), (train[0], train[2]), strict=True):
        np.testing.assert_allclose(head.scores(x), sklearn_scores(x, y, rows, 0.1), atol=1e-5)


@pytest.mark.parametrize(("n", "features"), [(400, 60), (60, 400), (1500, 100)])
def test_an_absent_class_changes_nothing_for_the_others(n: int, features: int) -> None:
    """At every strength of a path, and where the refit has the class that the choosing lacked."""
    x, y = problem(n, features, noise=4.0)
    rows = np.flatnonzero((y != 3) & (np.arange(n) < 0.8 * n))
    known = fit_many(x, np.minimum(y, 2), 3, train=[rows], strengths=STRENGTHS)[0]
    for strength, head, expected in zip(
        STRENGTHS, fit_many(x, y, 4, train=[rows], strengths=STRENGTHS)[0], known, strict=True
    ):
        scores = head.scores(x)
        atol = 1e-3 if strength <= 1 else 1e-2  # the less penalty, the less the training rows say of others
        np.testing.assert_allclose(scores[:, :3], expected.scores(x), atol=atol, err_msg=f"C={strength}")
        assert 0 < scores[:, 3].max() < 1e-6
    for strength in (0.01, 10.0):  # from the head of the weakest penalty, whose weights are far off
        path = Regression(x, y, 4, [rows]).path([np.arange(n)], start=[head])
        path.solve(np.array([strength]), LogisticSettings())
        expected = sklearn_scores(x, y, np.arange(n), strength)
        np.testing.assert_allclose(path.heads()[0].scores(x), expected, atol=1e-3 if strength < 1 else 1e-2)


@pytest.mark.parametrize(("n", "features"), [(400, 60), (60, 400)])
@pytest.mark.parametrize("size", [1.0, 1e3, 1e10, 1e20])
def test_rows_that_are_in_no_training_set_change_no_bit(n: int, features: int, size: float) -> None:
    x, y = problem(n, features)
    rows = np.arange(int(0.8 * n))
    other = x.copy()
    other[len(rows) :] = size * np.random.default_rng(1).standard_normal((n - len(rows), features))
    for a, b in zip(*(fit_many(z, y, 4, train=[rows], strengths=STRENGTHS)[0] for z in (x, other)), strict=True):
        assert a.weights.tobytes() == b.weights.tobytes()
        assert a.bias.tobytes() == b.bias.tobytes()


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("rotated_up_to", [0, 1200])
def test_one_row_far_out_leaves_other_training_sets_their_precision(
    rotated_up_to: int, single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic, "_ROTATED_UP_TO", rotated_up_to)
    if single:
        monkeypatch.setattr(designs, "_SINGLE_ABOVE", 0)
    x, y = problem(200, 40)
    train = [np.arange(150), np.arange(50, 200)]
    expected = fit_many(x, y, 4, train=train[:1], strengths=[0.1], settings=TIGHT)[0][0].scores(x[:150])
    for size in (1e3, 1e8):
        x[180] *= size
        head = fit_many(x, y, 4, train=train, strengths=[0.1])[0][0]
        np.testing.assert_allclose(head.scores(x[:150]), expected, atol=1e-3, err_msg=f"{size:g}")


def test_what_cannot_be_fitted_is_refused_in_words() -> None:
    x, y = problem(20, 3)
    broken = x.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        fit(broken, y, 4, strength=1.0)
    with pytest.raises(ValueError, match=r"train\[1\]: expected numbers of rows, at least one, from 0 to"):
        fit_many(x, y, 4, train=[np.arange(5), np.array([1, 20])], strengths=[1.0])
    with pytest.raises(ValueError, match=r"strengths=\[0.1, -1.0\]: expected a sequence of values above 0"):
        fit_many(x, y, 4, train=[np.arange(20)], strengths=[0.1, -1.0])


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_a_large_offset_is_not_a_constant(offset: float) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (offset + offset * 2e-7 * (rng.standard_normal((3, 20))[y] + rng.standard_normal((300, 20)))).astype(np.float32)
    rows = np.arange(200)
    head = fit_many(x, y, 3, train=[rows], strengths=[0.01])[0][0]
    expected = sklearn_scores(x, y, rows, 0.01)
    assert (head.scores(x).argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rotated_up_to", [0, 1200])
@pytest.mark.parametrize("single", [True, False])
def test_no_features_overflow(rotated_up_to: int, single: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "_ROTATED_UP_TO", rotated_up_to)
    if single:
        monkeypatch.setattr(designs, "_SINGLE_ABOVE", 0)
    x, y = problem(60, 80)
    x[:, 0] *= 1e30
    x[:, 1] *= 1e-25
    x[:, 2] = 0
    x[:, 3] = 1e30
    x[7, 4] = 1e20  # one row alone
    x[:, 5:8] = x[:, 8:9]
    x[:, 9] = 1e6 + np.arange(60) % 2
    train = [np.arange(45), np.flatnonzero(y != 1), np.arange(20, 60)]
    for heads in fit_many(x, y, 5, train=train, strengths=(1e-8, 1e-3, 1.0, 1e6)):
        for head in heads:
            assert np.isfinite(head.weights).all()
            assert np.isfinite(head.bias).all()
            scores = head.scores(x)
            assert np.isfinite(scores).all()
            np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_problems_that_do_not_fit_together_are_solved_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(60, 10)
    train = [np.arange(k, k + 40) for k in range(5)]
    expected = fit_many(x, y, 4, train=train, strengths=[0.1], settings=TIGHT)
    monkeypatch.setattr(logistic, "_TOGETHER", 2 * 4 * 400)
    assert [len(range(5)[part]) for part in Regression(x, y, 4, train).batches(train)] == [2, 2, 1]
    got = fit_many(x, y, 4, train=train, strengths=[0.1], settings=TIGHT)
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


@pytest.mark.parametrize("features", [40, pytest.param(3000, marks=pytest.mark.long)])
def test_features_that_move_together_are_solved_too(features: int) -> None:
    """As those of scattering: descent crawls along them, and must not be cut short."""
    rng = np.random.default_rng(0)
    targets = np.arange(120) % 5
    few = rng.standard_normal((5, 6))[targets] + rng.standard_normal((120, 6))
    x = (few @ rng.standard_normal((6, features)) + 1e-3 * rng.standard_normal((120, features))).astype(np.float32)
    rows = np.arange(120)
    strengths = STRENGTHS[4:13]
    for strength, head in zip(strengths, fit_many(x, targets, 5, train=[rows], strengths=strengths)[0], strict=True):
        expected = sklearn_scores(x, targets, rows, strength)
        np.testing.assert_allclose(head.scores(x), expected, atol=1e-3, err_msg=f"C={strength}")


@pytest.mark.parametrize("strength", [1.0, 10.0, 100.0])
def test_separable_rows_are_solved_in_single_precision_too(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    y = np.arange(320) % 10
    latent = rng.normal(size=(320, 600)) * np.arange(1.0, 601) ** -0.7
    latent[:, :10] += np.eye(10)[y]
    x = (latent @ rng.normal(size=(600, 600))).astype(np.float32)
    rows = np.flatnonzero(np.arange(320) % 5)
    exact = fit_many(x, y, 10, train=[rows], strengths=[strength], settings=TIGHT)[0][0].scores(x)
    monkeypatch.setattr(designs, "_SINGLE_ABOVE", 0)
    scores = fit_many(x, y, 10, train=[rows], strengths=[strength])[0][0].scores(x)
    assert exact[rows, y[rows]].min() > 0.95
    np.testing.assert_allclose(scores, exact, atol=2e-3)


@pytest.fixture(scope="module")
def real_features(esc10: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, ...]:
    """Feature vectors of gray images of 100 real sounds, their classes and folds."""
    folder = tmp_path_factory.mktemp("real")
    store = Store(folder / "store")
    clips = corpora.load("esc50", esc10, subset="esc10").iloc[::4]
    drawn = convert_clips(clips, {"gray": ENCODINGS["gray"]()}, folder / "images", store=store, jobs=1)
    table = drawn.with_absolute_paths(folder / "images")
    x = image_features([Path(p) for p in table["path"]], parse("builtin:scattering"), store=store).values
    return x, np.unique(table["label"], return_inverse=True)[1], table["fold"].to_numpy().astype(int)


@pytest.mark.long
def test_a_cold_start_finds_what_a_path_of_strengths_finds_on_real_sounds(
    real_features: tuple[np.ndarray, ...],
) -> None:
    x, y, fold = real_features
    rows = np.flatnonzero(fold != 3)
    path = Regression(x, y, 10, [rows]).path([rows])
    for strength in (*STRENGTHS, 100.0):
        path.solve(np.array([strength]), LogisticSettings(tolerance=1e-7, max_iter=5000))
    exact = path.heads()[0].scores(x)
    np.testing.assert_allclose(fit_many(x, y, 10, train=[rows], strengths=[100.0])[0][0].scores(x), exact, atol=5e-3)
