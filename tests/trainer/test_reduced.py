"""Feature vectors reduced for maps: the components are right, the files are there, and are computed once."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from small_study import command

from harness.files import digest_file
from harness.record import read_steps
from harness.reduced import read_all_reduced
from harness.tables import PREDICTIONS, read
from trainer import components, reduced
from trainer.__main__ import app
from trainer.components import principal_components


def features(n: int, width: int) -> np.ndarray:
    """Vectors on a few directions with noise, of unequal means and sizes."""
    rng = np.random.default_rng([n, width])
    strength = 2.0 ** -np.arange(8)
    values = rng.standard_normal((n, 8)) * strength @ rng.standard_normal((8, width))
    noisy = values + 0.001 * rng.standard_normal((n, width))
    return (noisy * rng.uniform(0.1, 10, width) + rng.uniform(-5, 5, width)).astype(np.float32)


def expected(values: np.ndarray, k: int) -> np.ndarray:
    """Scores by numpy's SVD, without their signs."""
    wide = values.astype(np.float64)
    u, s, _ = np.linalg.svd((wide - wide.mean(axis=0)) / wide.std(axis=0), full_matrices=False)
    return np.abs(u * s)[:, :k]


@pytest.mark.parametrize("shape", [(30, 200), (200, 30)])
@pytest.mark.parametrize("exact", [True, False])
def test_components_are_those_of_the_svd(shape: tuple[int, int], exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exact:
        monkeypatch.setattr(components, "_EXACT", 0)
    values = features(*shape)
    found, share = principal_components(values, most=6)
    assert found.dtype == np.float16
    np.testing.assert_allclose(np.abs(found.astype(np.float64)), expected(values, 6), rtol=0.02, atol=0.02)
    np.testing.assert_allclose(share, np.square(expected(values, 6)).sum(axis=0) / values.size, rtol=0.01)
    assert (found[np.abs(found).argmax(axis=0), np.arange(6)] > 0).all()
    assert (principal_components(values, most=6)[0] == found).all()


def test_features_that_do_not_vary_do_not_count() -> None:
    values = features(20, 40)
    constant = np.concatenate([values, np.full((20, 3), 7.1, np.float32)], axis=1)
    np.testing.assert_array_equal(principal_components(constant)[0], principal_components(values)[0])


@pytest.mark.parametrize("values", [np.full((5, 3), 2.0, np.float32), np.full((5, 3), np.nan, np.float32)])
def test_nothing_to_see_gives_zeros(values: np.ndarray) -> None:
    found, share = principal_components(values)
    assert found.shape == (5, 3)
    assert not found.any() and not share.any()


def test_a_run_has_one_file_for_each_row(studied: Path) -> None:
    run = studied / "run"
    predictions = read(run / PREDICTIONS.name, PREDICTIONS)
    found = read_all_reduced(run)
    rows = set(predictions[["encoding", "module"]].drop_duplicates().itertuples(index=False, name=None))
    assert {(each.encoding, each.module) for each in found} == rows
    for each in found:
        assert sorted(each.clips["clip_id"]) == sorted(set(predictions["clip_id"]))
        assert each.coordinates.shape[1] <= components.MOST
    recorded = read_steps(run)["train"]["spec"]["reduced"]
    assert recorded == {path.stem: digest_file(path) for path in (run / "features").iterdir()}


def test_a_training_again_computes_nothing_and_removes_what_is_old(
    studied: Path, tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(values: np.ndarray) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(reduced, "principal_components", fails)
    run = Path(shutil.copytree(studied / "run", tmp_path / "run"))
    before = {path.name: path.read_bytes() for path in (run / "features").iterdir()}
    images = ["--images", run / "images" / "images.csv", "--module", tiny_module, "--store", studied / "store"]
    command(app, "run", *images, "--encoding", "gray", "--out", run, capsys=capsys)
    after = {path.name: path.read_bytes() for path in (run / "features").iterdir()}
    (name,) = after
    assert name.startswith("gray--")
    assert after[name] == before[name]
