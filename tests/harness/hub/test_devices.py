"""Which modules run in mixed precision, what it does to keys and run.json; no GPU is needed, its device is made up."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_study import command

import study
from harness.errors import SettingsError
from harness.hub import base, devices, kinds
from harness.hub.base import FLOAT32, MIXED_FLOAT16, HubModule, ModuleInfo
from harness.hub.tensorflow import import_tensorflow, is_allowed, prepare_gpus
from harness.store import Store
from trainer.fitting import HeadSettings
from trainer.run_record import read_module, record_training
from trainer.sources import module_key

IMAGES = ModuleInfo("folder", "d" * 64, "image", 8, 8, (0.0, 1.0), 0, 4)
WAVES = ModuleInfo("folder", "d" * 64, "waveform", 0, 0, (-1.0, 1.0), 16000, 4)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A system with a device for a GPU that TensorFlow finds."""
    (tmp_path / "nvidiactl").touch()
    config = SimpleNamespace(list_physical_devices=lambda kind: [f"{kind}:0"])
    monkeypatch.setattr(devices, "_DEVICES", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(devices, "import_tensorflow", lambda: SimpleNamespace(config=config))
    for variable in ("SOUNDFOLD_GPU", "SOUNDFOLD_MIXED_PRECISION"):
        monkeypatch.delenv(variable, raising=False)


def precision(handle: str, info: ModuleInfo) -> str:
    return kinds.precision(kinds.parse(handle), info)


@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_image_modules_run_in_mixed_precision_and_others_do_not() -> None:
    assert precision("keras:MobileNetV2", IMAGES) == precision("a_folder", IMAGES) == MIXED_FLOAT16
    assert precision("a_folder", WAVES) == FLOAT32  # the logarithm of small powers
    assert precision("builtin:scattering", IMAGES) == FLOAT32


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("variable", ["SOUNDFOLD_GPU", "SOUNDFOLD_MIXED_PRECISION"])
def test_it_can_be_turned_off(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "off")
    assert precision("a_folder", IMAGES) == FLOAT32
    monkeypatch.setenv(variable, "auto")
    assert precision("a_folder", IMAGES) == MIXED_FLOAT16
    monkeypatch.setenv(variable, "never")
    with pytest.raises(SettingsError, match=f"{variable}='never': expected auto or off"):
        precision("a_folder", IMAGES)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("option", ["--no-gpu", "--no-mixed-precision"])
def test_commands_have_options_for_it(
    option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    assert command(study.app, option, tmp_path / "none.toml", capsys=capsys).code == 1
    assert precision("a_folder", IMAGES) == FLOAT32


def test_without_a_device_tensorflow_is_not_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "_DEVICES", (str(tmp_path / "none"),))
    monkeypatch.setattr(devices, "import_tensorflow", lambda: pytest.fail("imported"))
    assert precision("a_folder", IMAGES) == FLOAT32


@pytest.mark.usefixtures("gpu")
def test_the_precision_is_part_of_the_key_and_of_run_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spec = kinds.parse("a_folder")
    (tmp_path / "predictions.csv").touch()

    def recorded() -> str:
        given: dict[str, Any] = {name: {} for name in ("image_specs", "chosen", "protocol", "inputs", "heads")}
        record_training(
            tmp_path, HeadSettings(), seeds=[0], modules={spec: IMAGES}, sizes=[], started=time.monotonic(), **given
        )
        assert read_module(tmp_path, "a_folder")[1] == IMAGES.digest
        return (tmp_path / "run.json").read_text()

    mixed = module_key(spec, IMAGES)
    assert '"precision": "mixed_float16"' in recorded()
    monkeypatch.setenv("SOUNDFOLD_MIXED_PRECISION", "off")
    assert mixed == {**module_key(spec, IMAGES), "precision": MIXED_FLOAT16}
    assert '"precision": "float32"' in recorded()


def test_gpus_are_set_up_or_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    config = SimpleNamespace(
        list_physical_devices=lambda kind: ["a", "b"],
        set_visible_devices=lambda *given: said.append(given),
        experimental=SimpleNamespace(
            set_memory_growth=lambda *given: said.append(given),
            enable_tensor_float_32_execution=said.append,
        ),
    )
    monkeypatch.setenv("SOUNDFOLD_GPU", "auto")
    prepare_gpus(config)
    assert said == [("a", True), ("b", True), False]
    said.clear()
    monkeypatch.setenv("SOUNDFOLD_GPU", "off")
    prepare_gpus(config)
    assert said == [([], "GPU")]
    assert not is_allowed("SOUNDFOLD_GPU")


def test_switches_of_the_optimizer_reach_one_function_and_no_other() -> None:
    """float16 on a processor, which nobody wants, shows what ``auto_mixed_precision`` does on a GPU."""
    tf = import_tensorflow()
    weights = tf.Variable(np.random.default_rng(0).standard_normal((3, 3, 3, 8)), dtype=tf.float32)

    def features(images: Any) -> Any:
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(images, weights, 1, "SAME")), (1, 2))

    exact = tf.function(features, [tf.TensorSpec((None, 16, 16, 3), tf.float32)], autograph=False)
    mixed = base.optimized(exact, auto_mixed_precision_cpu=1, min_graph_nodes=-1)
    images = tf.constant(np.random.default_rng(1).random((2, 16, 16, 3)), tf.float32)
    before, rounded, after = exact(images).numpy(), mixed(images).numpy(), exact(images).numpy()
    np.testing.assert_array_equal(before, after)
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, before, rtol=5e-3)
    assert np.abs(rounded - before).max() > 1e-5


@pytest.mark.usefixtures("gpu")
def test_a_loaded_module_computes_in_the_precision_of_its_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tf = import_tensorflow()
    asked: list[dict[str, int]] = []
    monkeypatch.setattr(base, "optimized", lambda function, **switches: asked.append(switches) or function)

    def load(spec: Any) -> HubModule:
        return HubModule(IMAGES, lambda images: tf.reduce_mean(images, (1, 2)) @ tf.ones((3, 4)))

    kind = kinds.kind_of(kinds.parse("a_folder")).__class__(
        name="folder", title="of a test", load=load, mixed_precision=True
    )
    monkeypatch.setattr(kinds, "kind_of", lambda spec: kind)
    batch = np.full((2, 8, 8, 3), 255, np.uint8)
    for setting, expected in (("auto", [{"auto_mixed_precision": 1}]), ("off", [])):
        monkeypatch.setenv("SOUNDFOLD_MIXED_PRECISION", setting)
        module = kinds.load(kinds.ModuleSpec(handle="a_folder"), store=Store(tmp_path))
        np.testing.assert_allclose(module(batch), 3.0)
        assert asked == expected
        asked.clear()
