"""Image modules by TensorFlow Lite: the features of TensorFlow, converted once, under keys of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ModuleError
from harness.hub import devices, kinds, lite
from harness.hub.base import FLOAT32, FLOAT32_LITE, MIXED_FLOAT16, HubModule, ModuleInfo
from harness.hub.kinds import load, parse
from harness.hub.lite import LEAST_WEIGHTS, LITE, LiteFunction, give_lite, is_lite
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store
from trainer.sources import module_key

RNG = np.random.default_rng(0)
INFO = ModuleInfo("m", "d" * 64, "image", 16, 16, (0.0, 1.0), 0, 4, lite=True)


def made(function: Any = None, *, weights: int = LEAST_WEIGHTS) -> HubModule:
    """A module of a convolution and a variable of so many weights that changes nothing."""
    tf = import_tensorflow()
    kernel = tf.Variable(RNG.standard_normal((3, 3, 3, 4)).astype(np.float32))
    idle = tf.Variable(np.zeros(weights, np.float32))

    def features(images: Any) -> Any:
        found = tf.reduce_mean(tf.nn.conv2d(images, kernel, 1, "SAME"), [1, 2]) + tf.reduce_sum(idle)
        return function(found) if function else found

    return HubModule(INFO, features, (kernel, idle))


def images(count: int, size: int = 16) -> np.ndarray:
    return RNG.integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv(LITE, raising=False)
    return Store(tmp_path / "store")


def test_what_is_converted_gives_the_features_of_tensorflow(store: Store) -> None:
    module = made()
    assert is_lite(module, store)
    batch = images(5)
    found = give_lite(module, store)(batch)
    assert (found.dtype, found.shape) == (np.float32, (5, 4))
    np.testing.assert_allclose(found, module(batch), rtol=0, atol=1e-6)


def test_what_else_is_in_a_batch_or_in_other_threads_changes_nothing(store: Store) -> None:
    module = made()
    function = (is_lite(module, store), give_lite(module, store))[1]
    batch = images(64)
    whole = function(batch)
    with ThreadPoolExecutor(4) as pool:
        single = list(pool.map(lambda k: function(batch[k : k + 1])[0], range(64)))
    np.testing.assert_array_equal(whole, single)


def test_small_modules_and_those_that_it_cannot_run_or_runs_otherwise_stay_with_tensorflow(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tf = import_tensorflow()
    assert not is_lite(made(weights=LEAST_WEIGHTS - 1000), store)
    assert not is_lite(made(lambda found: tf.math.bessel_i0(found)), store)  # an operation that it does not have
    assert capfd.readouterr().err == ""
    whole = LiteFunction.__call__
    monkeypatch.setattr(LiteFunction, "__call__", lambda self, batch: whole(self, batch) * np.float32(1.001))
    assert not is_lite(made(), store)
    monkeypatch.setattr(LiteFunction, "__call__", lambda self, batch: whole(self, batch) * np.float32("nan"))
    assert not is_lite(made(), store)
    assert not (store.root / "converted").exists()


def test_it_is_converted_once_and_again_where_the_stored_one_is_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = made()
    assert is_lite(module, store)
    batch, convert, converted = images(2), lite._converted, []
    monkeypatch.setattr(lite, "_converted", lambda module: (converted.append(1), convert(module))[1])
    expected = give_lite(module, store)(batch)
    assert converted == []
    (path,) = (path for path in (store.root / "converted").rglob("*") if path.is_file())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    np.testing.assert_array_equal(give_lite(module, store)(batch), expected)
    assert converted == [1]
    give_lite(module, store)
    assert converted == [1]
    path.unlink()
    monkeypatch.setattr(lite, "_converted", lambda module: None)
    with pytest.raises(ModuleError, match=r"cannot convert it to TensorFlow Lite.*SOUNDFOLD_LITE=off"):
        give_lite(module, store)


def test_on_a_processor_only_and_not_where_it_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, kind = parse("folder"), kinds.KINDS["folder"]
    monkeypatch.setattr(devices, "gpu_found", lambda: False)
    assert devices.precision_of(kind, INFO) == FLOAT32_LITE
    assert devices.precision_of(kind, replace(INFO, lite=False)) == FLOAT32
    of_lite = module_key(spec, INFO)
    monkeypatch.setenv(LITE, "off")
    assert devices.precision_of(kind, INFO) == FLOAT32
    assert of_lite == {**module_key(spec, INFO), "precision": FLOAT32_LITE}
    monkeypatch.delenv(LITE)
    monkeypatch.setattr(devices, "gpu_found", lambda: True)
    assert devices.precision_of(kind, INFO) == MIXED_FLOAT16
    monkeypatch.setenv(devices.MIXED_PRECISION, "off")
    assert devices.precision_of(kind, INFO) == FLOAT32


@pytest.mark.corpus
def test_mobilenet_is_converted_when_it_is_first_loaded(
    mobilenet: Path, store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = parse(str(mobilenet))
    first = load(spec, store=store)
    assert (first.info.lite, first.precision) == (True, FLOAT32_LITE)
    assert kinds.describe(spec, store=store) == first.info
    monkeypatch.setattr(lite, "_converted", lambda module: pytest.fail("converted again"))
    again = load(spec, store=store)
    monkeypatch.setenv(LITE, "off")
    by_tensorflow = load(spec, store=store)
    assert (by_tensorflow.info.lite, by_tensorflow.precision, by_tensorflow.lite) == (False, FLOAT32, None)
    batch = images(7, 224)
    expected = by_tensorflow(batch)
    np.testing.assert_array_equal(first(batch), again(batch))
    np.testing.assert_allclose(first(batch), expected, rtol=0, atol=2e-5 * expected.max())
    assert not np.array_equal(first(batch), expected)  # so it is another that computes
    assert capfd.readouterr().err == ""
