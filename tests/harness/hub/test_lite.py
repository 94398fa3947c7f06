"""Image modules by TensorFlow Lite: the features of TensorFlow, converted once, under keys of their own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from retrain_parts import small_module

from harness.errors import ModuleError
from harness.hub import devices, kinds, lite
from harness.hub.base import FLOAT32, FLOAT32_LITE, MIXED_FLOAT16, HubModule, ModuleInfo
from harness.hub.kinds import load, parse
from harness.hub.lite import LITE, WEIGHTS, LiteFunction, convert, converted
from harness.hub.tensorflow import import_tensorflow
from harness.store import Store
from trainer.sources import module_key

RNG = np.random.default_rng(0)
INFO = ModuleInfo("m", "d" * 64, "image", 16, 16, (0.0, 1.0), 0, 4, lite=True)


def made(function: Any = None, *, weights: int = WEIGHTS[0]) -> HubModule:
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


def function_of(module: HubModule, store: Store) -> LiteFunction:
    function = convert(module, store)
    assert function
    return function


def test_what_is_converted_gives_the_features_of_tensorflow(store: Store) -> None:
    module = made()
    function, batch = function_of(module, store), images(5)
    found = function(batch)
    assert (found.dtype, found.shape) == (np.float32, (5, 4))
    np.testing.assert_allclose(found, module(batch), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(converted(module, store)(batch), found)


def test_what_else_is_in_a_batch_or_in_other_threads_changes_nothing(store: Store) -> None:
    function, batch = function_of(made(), store), images(64)
    whole = function(batch)
    with ThreadPoolExecutor(4) as pool:
        single = list(pool.map(lambda k: function(batch[k : k + 1])[0], range(64)))
    np.testing.assert_array_equal(whole, single)


def unknown(found: Any) -> Any:
    """An operation that TensorFlow Lite does not have."""
    return import_tensorflow().math.bessel_i0(found)


def dynamic(found: Any) -> Any:
    """The number of values depends on the image; of none TensorFlow Lite leaves the last image's sum."""
    tf = import_tensorflow()
    return tf.reduce_sum(tf.boolean_mask(found, found[:, 0] > 0.01), axis=0, keepdims=True) + found * 0


def of_rank_7(found: Any) -> Any:
    """It is converted, and then its kernels refuse it."""
    tf = import_tensorflow()
    return tf.reduce_sum(tf.tile(tf.reshape(found, (-1, 1, 1, 1, 1, 1, 4)), (1, 2, 2, 2, 2, 2, 1)), (1, 2, 3, 4, 5))


def in_parts(found: Any) -> Any:
    """Between operations of XNNPACK there is one that it leaves to others, so that nothing would be won."""
    tf = import_tensorflow()
    return tf.nn.softmax(tf.nn.relu(tf.cumsum(found, axis=1)) * 2.0 + 1.0)


def refusing_black(found: Any) -> Any:
    """TensorFlow itself refuses one of the images on which both are compared."""
    tf = import_tensorflow()
    with tf.control_dependencies([tf.debugging.assert_none_equal(found, 0.0)]):
        return tf.identity(found)


@pytest.mark.parametrize("function", [unknown, dynamic, of_rank_7, in_parts, refusing_black])
def test_what_it_cannot_run_stays_with_tensorflow(
    store: Store, capfd: pytest.CaptureFixture[str], function: Any
) -> None:
    assert convert(made(function), store) is None
    assert not (store.root / "converted").exists()
    assert capfd.readouterr().err == ""


def test_so_do_small_and_large_modules_and_those_that_it_runs_otherwise(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert convert(made(weights=WEIGHTS[0] - 1000), store) is None
    with monkeypatch.context() as patch:
        patch.setattr(lite, "WEIGHTS", (0, WEIGHTS[0]))
        assert convert(made(), store) is None
    whole = LiteFunction.__call__
    for factor in (np.float32(1.001), np.float32("nan")):
        monkeypatch.setattr(LiteFunction, "__call__", lambda self, batch, by=factor: whole(self, batch) * by)
        assert convert(made(), store) is None
    assert not (store.root / "converted").exists()


def test_an_image_that_it_fails_on_is_named_with_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    function = function_of(made(), store)
    with pytest.raises(ModuleError, match=r"^module 'm': TensorFlow Lite fails \(.*\); set SOUNDFOLD_LITE=off"):
        function(images(1, 17))
    assert function(images(1)).shape == (1, 4)


def test_it_is_converted_once_and_again_where_the_stored_one_is_damaged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, batch, count = made(), images(2), []
    expected = function_of(module, store)(batch)
    real = lite._converted
    monkeypatch.setattr(lite, "_converted", lambda module: (count.append(1), real(module))[1])
    np.testing.assert_array_equal(converted(module, store)(batch), expected)
    assert count == []
    (path,) = (path for path in (store.root / "converted").rglob("*") if path.is_file())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    np.testing.assert_array_equal(converted(module, store)(batch), expected)
    assert count == [1]
    converted(module, store)
    assert count == [1]
    path.unlink()
    monkeypatch.setattr(lite, "_converted", lambda module: None)
    with pytest.raises(ModuleError, match=r"cannot be converted to TensorFlow Lite.*SOUNDFOLD_LITE=off"):
        converted(module, store)


def test_a_module_that_the_store_knows_of_another_tensorflow_is_looked_at_anew(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, convertings = parse(small_module(tmp_path / "small", idle=WEIGHTS[0])), []
    real = kinds.convert
    monkeypatch.setattr(kinds, "convert", lambda *given: (convertings.append(1), real(*given))[1])
    assert load(spec, store=store).lite
    assert load(spec, store=store).lite
    assert len(convertings) == 1
    monkeypatch.setattr(lite, "version", lambda _: "2.99")
    assert load(spec, store=store).lite
    assert len(convertings) == 2
    reads = Store(tmp_path / "none", writes=False)
    assert load(spec, store=reads).lite
    assert len(convertings) == 3
    assert kinds.describe(spec, store=reads).lite


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
    batch = np.concatenate([images(7, 224), np.zeros((1, 224, 224, 3), np.uint8)])
    expected = by_tensorflow(batch)
    np.testing.assert_array_equal(first(batch), again(batch))
    np.testing.assert_allclose(first(batch), expected, rtol=0, atol=2e-5 * expected.max())
    assert not np.array_equal(first(batch), expected)  # so it is another that computes
    assert capfd.readouterr().err == ""
