"""Distortions of training images: each does what it says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.image import resize
from trainer.retrain.augment import Distortions, distort, distorted_batch

RNG = np.random.default_rng


def ramp(height: int = 40, width: int = 60) -> np.ndarray:
    """Brighter to the right, the same in every row and channel."""
    row = np.linspace(0, 250, width).astype(np.uint8)
    return np.repeat(np.repeat(row[None, :, None], height, axis=0), 3, axis=2)


def one(distortions: Distortions, seed: int, pixels: np.ndarray | None = None) -> np.ndarray:
    return distort(ramp() if pixels is None else pixels, distortions, height=20, width=30, rng=RNG(seed))


def test_nothing_asked_for_is_the_plain_image() -> None:
    made = one(Distortions(), 0)
    assert made.dtype == np.float32 and made.shape == (20, 30, 3)
    assert np.allclose(made, resize(ramp(), 20, 30) / np.float32(255))


def test_half_of_the_images_are_flipped() -> None:
    plain = one(Distortions(), 0)
    made = [one(Distortions(flip_left_right=True), seed) for seed in range(200)]
    flipped = [np.allclose(m, plain[:, ::-1]) for m in made]
    assert all(f or np.allclose(m, plain) for f, m in zip(flipped, made, strict=True))
    assert 70 < sum(flipped) < 130


def test_brightness_is_one_factor_for_an_image_within_its_range() -> None:
    plain = one(Distortions(), 0)
    factors = []
    for seed in range(100):
        made = one(Distortions(random_brightness=30), seed)
        ratio = made[plain > 0] / plain[plain > 0]
        assert np.ptp(ratio) < 1e-4
        factors.append(ratio[0])
    assert 0.7 <= min(factors) < 0.76 and 1.24 < max(factors) <= 1.3


def test_crop_shows_a_window_of_the_larger_image() -> None:
    spans = {np.ptp(one(Distortions(random_crop=50), seed)[0, :, 0]) for seed in range(30)}
    assert max(spans) < 0.75 * np.ptp(one(Distortions(), 0)[0, :, 0])
    lefts = [one(Distortions(random_crop=50), seed)[0, 0, 0] for seed in range(60)]
    assert min(lefts) < 0.05 and max(lefts) > 0.25  # windows lie everywhere


def test_scale_varies_the_size_of_what_is_seen() -> None:
    spans = [float(np.ptp(one(Distortions(random_scale=100), seed)[0, :, 0])) for seed in range(100)]
    full = float(np.ptp(one(Distortions(), 0)[0, :, 0]))
    assert 0.45 * full < min(spans) < 0.6 * full and 0.9 * full < max(spans) <= full


def test_same_generator_same_image() -> None:
    every = Distortions(flip_left_right=True, random_crop=10, random_scale=20, random_brightness=30)
    assert np.array_equal(one(every, 5), one(every, 5))
    assert not np.array_equal(one(every, 5), one(every, 6))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_batches_of_any_kind_of_image(mode: str, tmp_path: Path) -> None:
    Image.fromarray(ramp()).convert(mode).save(tmp_path / "a.png")
    Image.fromarray(ramp()).save(tmp_path / "b.png")
    files = [str(tmp_path / name) for name in ("a.png", "b.png", "a.png")]
    every = Distortions(flip_left_right=True, random_crop=10, random_scale=20, random_brightness=30)
    batch = distorted_batch(files, every, height=20, width=30, rng=RNG(0))
    assert batch.shape == (3, 20, 30, 3) and batch.dtype == np.float32
    assert not np.array_equal(batch[0], batch[2])  # the same image, distorted twice
    assert np.array_equal(batch, distorted_batch(files, every, height=20, width=30, rng=RNG(0)))
