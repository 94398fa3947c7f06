"""Maps of the clips and each clip's nearest one: which clips count, what is said, what happens without files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evaluator.feature_maps import nearest, projections
from harness.errors import SettingsError, TableError
from harness.reduced import ReducedFeatures

N = 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two rows of 60 clips in 3 folds; clips 3k, 3k + 1 and 3k + 2 are of one group, one in each fold."""
    rng = np.random.default_rng(0)
    clips = pd.DataFrame(
        {
            "clip_id": [f"{i}.wav" for i in range(N)],
            "label": [f"c{i % 4}" for i in range(N)],
            "fold": [str(i % 3) for i in range(N)],
            "group": [f"g{i // 3}" if i < 30 else "" for i in range(N)],
        }
    )
    for encoding in ("gray", "logmel"):
        places = rng.standard_normal((N, 5)).astype(np.float16)
        features = ReducedFeatures(encoding, "m", clips, places, np.array([0.5, 0.2, 0.1, 0.1, 0.1]))
        features.write(tmp_path / "features" / f"{encoding}.npz")
    return tmp_path


def test_the_map_is_the_first_two_components(run: Path) -> None:
    table = projections(run)
    own = table[table["encoding"] == "logmel"]
    places = ReducedFeatures.from_bytes((run / "features" / "logmel.npz").read_bytes()).coordinates
    np.testing.assert_array_equal(own[["x", "y"]].to_numpy(), places[:, :2].astype(float))
    assert len(table) == 2 * N
    assert table.attrs["method"] == "PCA"
    assert table.attrs["share"]["gray", "m"] == pytest.approx(0.7)


def test_the_nearest_clip_is_of_another_fold_and_group(run: Path) -> None:
    table = nearest(run, [f"{i}.wav" for i in range(N)])
    assert len(table) == 2 * N
    for encoding, own in table.groupby("encoding"):
        features = ReducedFeatures.from_bytes((run / "features" / f"{encoding}.npz").read_bytes())
        places = features.coordinates.astype(float)
        distance = np.linalg.norm(places[:, None] - places, axis=2)
        for i, row in enumerate(own.itertuples()):
            allowed = [j for j in range(N) if j % 3 != i % 3 and (max(i, j) >= 30 or i // 3 != j // 3)]
            best = min(allowed, key=lambda j: distance[i, j])
            assert row.nearest == f"{best}.wav"
            assert row.distance == pytest.approx(distance[i, best], rel=1e-3)


def test_of_a_table_only_its_own_rows(run: Path) -> None:
    asked = pd.DataFrame({"clip_id": ["4.wav", "5.wav"], "encoding": ["gray", "logmel"], "module": "m"})
    found = nearest(run, asked)
    assert found[["clip_id", "encoding"]].to_numpy().tolist() == [["4.wav", "gray"], ["5.wav", "logmel"]]


def test_a_clip_that_has_no_other_fold_has_no_nearest(run: Path) -> None:
    features = ReducedFeatures.from_bytes((run / "features" / "gray.npz").read_bytes())
    one = ReducedFeatures("gray", "m", features.clips.assign(fold="1"), features.coordinates, features.share)
    one.write(run / "features" / "gray.npz")
    assert set(nearest(run, ["4.wav"])["encoding"]) == {"logmel"}


def test_tsne_is_seeded(run: Path) -> None:
    (run / "features" / "logmel.npz").unlink()
    first, again = (projections(run, method="tsne", seed=1) for _ in range(2))
    assert first.attrs["method"] == "t-SNE"
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first[["x", "y"]], projections(run)[["x", "y"]])


def test_a_run_without_features_has_no_map(tmp_path: Path) -> None:
    assert list(projections(tmp_path)) == ["clip_id", "encoding", "module", "x", "y"]
    assert nearest(tmp_path, ["a.wav"]).empty


def test_what_is_wrong_is_one_line(run: Path) -> None:
    with pytest.raises(SettingsError, match=r"map='pcs': no such map; did you mean 'pca'\?"):
        projections(run, method="pcs")
    (run / "features" / "gray.npz").write_bytes(b"PK")
    with pytest.raises(TableError, match=r"gray\.npz: not readable as reduced features"):
        projections(run)
