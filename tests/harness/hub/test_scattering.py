"""builtin:scattering: agreement with a direct reference, its invariances, its identity."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate2d

from harness.errors import SettingsError
from harness.hub.builtin import scattering_digest as digest
from harness.hub.kinds import load, parse
from harness.hub.maps import band_weights
from harness.hub.scattering import (
    DEFAULT,
    ScatteringSpec,
    build,
    feature_count,
    wavelets,
)
from harness.scattering_loops import scatter
from harness.store import Store

SMALL = ScatteringSpec(height=48, width=40, octaves=3, orientations=3, kernel=7, bands=4, first_bands=5, second_bands=2)


@pytest.fixture(scope="module")
def small() -> Any:
    return build(SMALL)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def features(module: Any, images: np.ndarray) -> np.ndarray:
    return module(np.asarray(images, np.float32)).numpy()


def blocks(module: Any, image: np.ndarray) -> np.ndarray:
    """One image's features, one row for each of red, green, blue."""
    return features(module, image[None]).reshape(3, -1)


def colour(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels, axis=-1)


# ---- the reference: loops and scipy, written from the module's description alone


def reference(x: np.ndarray, spec: ScatteringSpec) -> np.ndarray:
    """Features of one channel (height, width)."""
    x = x**spec.contrast
    zero = [pooled(x, spec.bands, np.mean), pooled(x, spec.bands, np.std)]
    values: list[np.ndarray] = []
    for _ in range(spec.octaves):
        first, halved = moduli(x, spec, spec.first_bands)
        for statistic in (np.mean, np.std):
            values.append(np.stack([pooled(u, spec.first_bands, statistic) for u in first], axis=-1).ravel())
        smooth = first if halved else [half(u) for u in first]
        while len(values) < 1000 and min(smooth[0].shape) >= -(-spec.width // 2 ** (spec.octaves - 1)):
            coarse = 4 if len(smooth[0]) >= 28 * spec.second_bands else None
            second = [moduli(u, spec, spec.second_bands, step=coarse)[0] for u in smooth]
            for statistic in (np.mean, np.std):
                found = [[pooled(w, spec.second_bands, statistic) for w in of_one] for of_one in second]
                values.append(np.array(found).transpose(0, 2, 1).ravel())
            smooth = [half(u) for u in smooth]
        x = half(x)
    return np.concatenate([*zero, spec.gain * np.log1p(np.concatenate(values) / spec.offset)])


def moduli(
    x: np.ndarray, spec: ScatteringSpec, bands: int, *, step: int | None = None
) -> tuple[list[np.ndarray], bool]:
    step = step or (2 if x.shape[0] >= 4 * bands else 1)
    margin = spec.kernel // 2
    reflected = np.pad(x, margin, mode="reflect")
    n = np.arange(-margin, margin + 1)
    maps = []
    for k in range(spec.orientations):
        c, s = np.cos(np.pi * k / spec.orientations), np.sin(np.pi * k / spec.orientations)
        along, across = c * n[None, :] + s * n[:, None], c * n[:, None] - s * n[None, :]
        window = np.exp(-(along**2 + spec.slant**2 * across**2) / 2 / spec.sigma**2)
        wave = np.exp(1j * spec.frequency * along)
        gabor = window / window.sum() * (wave - np.average(wave, weights=window))
        maps.append(np.abs(correlate2d(reflected, gabor, mode="valid"))[::step, ::step])
    return maps, step == 2


def half(x: np.ndarray) -> np.ndarray:
    binomial = np.array([1, 4, 6, 4, 1]) / 16
    return correlate2d(np.pad(x, 2, mode="reflect"), np.outer(binomial, binomial), mode="valid")[::2, ::2]


def pooled(x: np.ndarray, bands: int, statistic: Any) -> np.ndarray:
    # Repeating each row `bands` times makes every band a whole number of rows.
    rows = np.repeat(statistic(x, axis=1), bands)
    return rows.reshape(bands, -1).mean(axis=1)


@pytest.mark.parametrize("spec", [SMALL, SMALL.replace(height=64, width=60, second_bands=1)])
def test_agrees_with_a_direct_computation(spec: ScatteringSpec, rng: np.random.Generator) -> None:
    image = rng.random((spec.height, spec.width, 3))
    expected = np.stack([reference(image[..., c], spec) for c in range(3)])
    np.testing.assert_allclose(blocks(build(spec), image), expected, atol=2e-4)


# ---- shape and numbers


@pytest.mark.parametrize(
    "spec",
    [
        SMALL,
        SMALL.replace(second_bands=0),
        SMALL.replace(octaves=1),
        SMALL.replace(height=51, width=47, first_bands=7, bands=9),
    ],
)
def test_width_is_the_feature_count(spec: ScatteringSpec, rng: np.random.Generator) -> None:
    images = rng.random((2, spec.height, spec.width, 3))
    assert features(build(spec), images).shape == (2, feature_count(spec))


def test_default_takes_images_of_224(rng: np.random.Generator) -> None:
    values = features(build(), rng.random((1, 224, 224, 3)))
    assert values.shape == (1, feature_count(DEFAULT))
    assert np.isfinite(values).all()


@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_constant_image_is_finite(small: Any, level: float) -> None:
    row = blocks(small, np.full((SMALL.height, SMALL.width, 3), level))[0]
    means, deviations, rest = np.split(row, [SMALL.bands, 2 * SMALL.bands])
    np.testing.assert_allclose(means, level**SMALL.contrast, atol=1e-5)
    np.testing.assert_allclose(deviations, 0, atol=1e-5)
    np.testing.assert_allclose(rest, 0, atol=1e-3)


def test_wavelets_have_no_mean_and_pass_their_own_wave() -> None:
    bank = wavelets(DEFAULT)
    np.testing.assert_allclose(bank.sum(axis=(0, 1)), 0, atol=1e-12)
    n = np.arange(DEFAULT.kernel) - DEFAULT.kernel // 2
    along_time = np.broadcast_to(np.cos(DEFAULT.frequency * n), (DEFAULT.kernel, DEFAULT.kernel))
    responses = np.abs((bank * along_time[..., None]).sum(axis=(0, 1)))
    assert responses.argmax() == 0


@pytest.mark.parametrize(("rows", "bands"), [(224, 16), (7, 14), (51, 7)])
def test_bands_are_means_and_use_every_row(rows: int, bands: int) -> None:
    weights = band_weights(rows, bands)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / rows)


# ---- laws


def test_features_do_not_depend_on_the_batch(small: Any, rng: np.random.Generator) -> None:
    a, b, c, d = rng.random((4, SMALL.height, SMALL.width))
    flat = np.full_like(a, 0.25)
    batch = np.stack([colour(a, a, a), colour(b, c, d), colour(a, flat, b), colour(c, d, c), colour(b, b, d)])
    together = features(small, batch)
    alone = np.concatenate([features(small, image[None]) for image in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(features(small, batch[::-1])[::-1], together, atol=1e-5)


@pytest.mark.parametrize("pattern", ["aaa", "aab", "aba", "baa", "abc", "cab"])
def test_each_channel_has_its_own_block(small: Any, rng: np.random.Generator, pattern: str) -> None:
    channel = dict(zip("abc", rng.random((3, SMALL.height, SMALL.width)), strict=True))
    gray = {name: blocks(small, colour(x, x, x))[0] for name, x in channel.items()}
    found = blocks(small, colour(*(channel[name] for name in pattern)))
    np.testing.assert_allclose(found, np.stack([gray[name] for name in pattern]), atol=1e-5)


def test_time_may_move_and_pitch_may_not(small: Any) -> None:
    y, x = np.mgrid[: SMALL.height, : SMALL.width]

    def call(row: float, column: float) -> np.ndarray:
        spot = np.exp(-((y - row) ** 2) / 8 - (x - column) ** 2 / 18) * (0.5 + 0.5 * np.cos(1.5 * (x - column)))
        return blocks(small, colour(spot, spot, spot))[0]

    here = call(24, 18)
    later, higher = np.linalg.norm(call(24, 24) - here), np.linalg.norm(call(18, 18) - here)
    assert higher > 5 * later


# ---- the module as an object


def test_saved_model_gives_the_same_scores(small: Any, rng: np.random.Generator, tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(small, str(tmp_path / "module"))
    assert (tmp_path / "module" / "saved_model.pb").stat().st_size < 500_000
    again = tf.saved_model.load(str(tmp_path / "module"))
    images = rng.random((3, SMALL.height, SMALL.width, 3)).astype(np.float32)
    expected = features(small, images)
    np.testing.assert_allclose(features(again, images), expected, atol=1e-6)
    (served,) = again.signatures["serving_default"](images=tf.constant(images)).values()
    np.testing.assert_allclose(served.numpy(), expected, atol=1e-6)
    assert (len(small.variables), len(small.trainable_variables)) == (0, 0)
    assert (len(again.variables), len(again.trainable_variables)) == (0, 0)


def test_digest_follows_every_setting_and_nothing_else() -> None:
    changed = {
        "height": 225, "width": 225, "octaves": 4, "orientations": 5, "kernel": 9, "frequency": 1.6, "sigma": 1.5,
        "slant": 0.75, "bands": 15, "first_bands": 13, "second_bands": 1, "contrast": 1.0, "offset": 1e-2,
        "gain": 1.0,
    }  # fmt: skip
    assert set(changed) == set(ScatteringSpec.model_fields)
    digests = {digest(DEFAULT.replace(**{name: value})) for name, value in changed.items()}
    assert len(digests | {digest()}) == len(changed) + 1
    assert digest() == digest(DEFAULT) == digest(ScatteringSpec())
    assert len(digest()) == 64


def test_identity_needs_no_tensorflow() -> None:
    code = (
        "import sys; from harness.hub.builtin import scattering_digest, feature_count;"
        "print(scattering_digest(), feature_count());"
        "assert 'tensorflow' not in sys.modules"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [digest(), str(feature_count())]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"height": 0}, "height=0: must be a positive integer"),
        ({"sigma": 0.0}, "sigma=0.0: must be a number above 0"),
        ({"contrast": 0.0}, "contrast=0.0: must be a number above 0"),
        ({"offset": -1.0}, "offset=-1.0: must be a number above 0"),
        ({"second_bands": -1}, "second_bands=-1: must be an integer of 0 or more"),
        ({"frequency": 3.2}, r"frequency=3.2: must lie inside \(0, pi\)"),
        ({"kernel": 8}, "kernel=8: must be odd and at least 5"),
        ({"octaves": 7}, "octaves=7: an image of 224 x 224 shrinks to 4 pixels"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        DEFAULT.replace(**wrong)


# ---- the compiled loops


def test_loops_and_tensorflow_agree(rng: np.random.Generator) -> None:
    noise = rng.random((224, 224))
    steady = np.repeat(rng.random((224, 1)), 224, axis=1)
    images = np.stack([colour(noise, steady, noise), colour(steady**2, steady * 0, steady * 0 + 0.5)]).astype(
        np.float32
    )
    np.testing.assert_allclose(scatter(images), features(build(), images), atol=5e-5)
    levels = np.round(images * 255).astype(np.uint8)
    np.testing.assert_array_equal(scatter(levels), scatter(np.divide(levels, np.float32(255), dtype=np.float32)))


@pytest.mark.parametrize("orientations", [1, 2, 3, 4, 5, 8])
def test_loops_agree_with_a_direct_computation(rng: np.random.Generator, orientations: int) -> None:
    spec = ScatteringSpec(
        height=90, width=61, octaves=3, orientations=orientations, bands=4, first_bands=5, second_bands=2
    )
    image = rng.random((spec.height, spec.width, 3)).astype(np.float32)
    expected = np.stack([reference(image[..., c].astype(float), spec) for c in range(3)])
    np.testing.assert_allclose(scatter(image[None], spec).reshape(3, -1), expected, atol=2e-4)


def test_the_module_takes_the_loops_and_exports_tensorflow(rng: np.random.Generator, tmp_path: Path) -> None:
    module = load(parse("builtin:scattering"), store=Store(tmp_path))
    images = rng.integers(0, 256, (3, 224, 224, 3), np.uint8)
    np.testing.assert_array_equal(module(images), scatter(images))
    traced = module.function(images.astype(np.float32) / np.float32(255)).numpy()
    np.testing.assert_allclose(module(images), traced, atol=5e-5)


def test_loops_are_for_one_size_of_kernels() -> None:
    with pytest.raises(ValueError, match="kernel=7"):
        scatter(np.zeros((1, 48, 40, 3), np.float32), SMALL)


def test_of_no_images_there_are_no_features() -> None:
    assert scatter(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0, 6936)


@pytest.mark.long
def test_loops_compiled_now_give_the_bits_of_those_compiled_before(tmp_path: Path) -> None:
    script = (
        "import numpy as np\n"
        "from harness.scattering_loops import scatter\n"
        "images = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)\n"
        "images[2:] = images[2:, :, :, :1]\n"
        "print(scatter(images).tobytes().hex())\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    words = [sys.executable, "-c", script]
    now, before = (subprocess.run(words, env=environment, capture_output=True, check=True).stdout for _ in range(2))
    assert now == before
    assert len(now) > 1000
