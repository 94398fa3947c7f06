"""Modules of every kind, built here as tiny SavedModels, and the real ones where they are there."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import audio
from harness.errors import ModuleError
from harness.hub import base, kinds
from harness.hub import tensorflow as tf_import
from harness.hub.base import ModuleInfo
from harness.hub.fetching import folder_digest
from harness.hub.kinds import describe, load, parse
from harness.hub.preprocess import preprocessing
from harness.store import Store

RNG = np.random.default_rng(0)
ROUNDING = 1e-5  # of features of a few units: on many processors kernels round by a number's place in the batch
IMAGES = RNG.integers(0, 256, (5, 32, 32, 3), np.uint8)
WAVES = RNG.uniform(-1, 1, (3, 16000)).astype(np.float32)
IMAGE = (None, 32, 32, 3)
Save = Callable[..., Path]


@pytest.fixture(scope="session")
def tf() -> Any:
    return tf_import.import_tensorflow()


@pytest.fixture(scope="session")
def save(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Save:
    """Save a function as a SavedModel: as ``__call__``, or with nothing but a signature."""
    root = tmp_path_factory.mktemp("modules")

    def make(name: str, shape: Any, body: Callable[[Any], Any], *, signature: str = "") -> Path:
        module, folder = tf.Module(), root / name
        module.weight = tf.Variable(2.0)
        spec = tf.TensorSpec(shape, tf.float32, name="images")

        def weighed(x: Any) -> Any:
            return body(x * module.weight)

        function = tf.function(weighed, input_signature=[spec])
        if signature:
            module.function = function
            tf.saved_model.save(module, str(folder), signatures={signature: function})
        else:
            module.__call__ = function
            tf.saved_model.save(module, str(folder))
        return folder

    return make


@pytest.fixture(scope="session")
def averaging(tf: Any, save: Save) -> Path:
    """Twice the mean of red, green and blue of an image 32x32."""
    return save("averaging", IMAGE, lambda x: tf.reduce_mean(x, [1, 2]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def means(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float64).mean(axis=(1, 2)) / 255


def given(folder: Path, **more: Any) -> Any:
    return parse({"handle": str(folder), **more})


# ---- images


def test_a_module_that_can_be_called(averaging: Path, store: Store) -> None:
    module = load(given(averaging), store=store)
    assert module.info == ModuleInfo(
        str(averaging), folder_digest(averaging), "image", 32, 32, (0.0, 1.0), 0, features=3
    )
    got = module(IMAGES)
    assert got.dtype == np.float32
    assert np.allclose(got, 2 * means(IMAGES), atol=1e-5)


def test_a_module_with_a_signature_alone(tf: Any, save: Save, store: Store) -> None:
    def body(x: Any) -> Any:
        return {"a_logit": x[:, 0, 0], "feature_vector": tf.reduce_mean(x, [1, 2])}

    for name in ("serving_default", "image_feature_vector", "of_its_own"):
        module = load(given(save(f"signature_{name}", IMAGE, body, signature=name)), store=store)
        assert (module.info.height, module.info.features) == (32, 3)
        assert np.allclose(module(IMAGES), 2 * means(IMAGES), atol=1e-5), "the vector, not the logits"


def test_the_format_of_tensorflow_1(tf: Any, tmp_path: Path, store: Store) -> None:
    v1, folder = tf.compat.v1, tmp_path / "old"
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, (None, 16, 16, 3))
        vector = tf.reduce_mean(images, [1, 2]) * v1.get_variable("weight", initializer=2.0)
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def({"images": images}, {"default": vector})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], signature_def_map={"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    module = load(given(folder), store=store)
    assert (module.info.height, module.info.width, module.info.features) == (16, 16, 3)
    small = np.ascontiguousarray(IMAGES[:, :16, :16])
    assert np.allclose(module(small), 2 * means(small), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "more", "size"),
    [
        ("anything", {}, (224, 224)),
        ("thing_160", {}, (160, 160)),
        ("inception_v3", {}, (299, 299)),
        ("thing_192", {"image_size": [40, 50]}, (40, 50)),
    ],
)
def test_a_size_that_the_module_leaves_open(
    tf: Any, save: Save, store: Store, name: str, more: dict[str, Any], size: tuple[int, int]
) -> None:
    folder = save(name, (None, None, None, 3), lambda x: tf.reduce_mean(x, [1, 2]))
    info = load(given(folder, **more), store=store).info
    assert (info.height, info.width) == size
    assert preprocessing(info)["height"] == size[0]
    assert bool(info.note) == (name == "anything")


def test_a_size_that_nobody_says_is_said(
    tf: Any, save: Save, store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save("of_any_size", (None, None, None, 3), lambda x: tf.reduce_mean(x, [1, 2]))
    for _ in range(2):  # loaded, then from the store
        monkeypatch.setattr(kinds, "_NOTES", set())
        describe(given(folder), store=store)
        describe(given(folder), store=store)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"warning: module '{folder}' does not say what size its pictures have: 224x224 is taken")
        assert "image_size = [224, 224]" in line
    load(given(folder, image_size=[224, 224]), store=store)
    assert capsys.readouterr().err == ""


def test_a_size_against_the_module(averaging: Path, store: Store) -> None:
    with pytest.raises(ModuleError, match=r"image_size=64x64: module '.*averaging' takes 32x32"):
        load(given(averaging, image_size=[64, 64]), store=store)


def test_a_value_range_given_by_hand(averaging: Path, store: Store) -> None:
    module = load(given(averaging, value_range=[-1, 3]), store=store)
    assert module.info.value_range == (-1.0, 3.0)
    assert np.allclose(module(IMAGES), 2 * (means(IMAGES) * 4 - 1), atol=1e-5)
    assert preprocessing(module.info) != preprocessing(load(given(averaging), store=store).info)


def test_a_feature_map_is_pooled(tf: Any, save: Save, store: Store) -> None:
    folder = save("map", IMAGE, lambda x: tf.nn.avg_pool2d(x, 8, 8, "VALID"))
    module = load(given(folder), store=store)
    assert module.info.features == 3
    assert np.allclose(module(IMAGES), 2 * means(IMAGES), atol=1e-5)


def test_one_alone_equals_one_of_many(averaging: Path, store: Store) -> None:
    module = load(given(averaging), store=store)
    many = module(IMAGES)
    assert np.array_equal(np.concatenate([module(IMAGES[i : i + 1]) for i in range(5)]), many)
    assert module(IMAGES[:0]).shape == (0, 3)


def test_floats_are_taken_as_they_are(averaging: Path, store: Store) -> None:
    module = load(given(averaging), store=store)
    assert np.array_equal(module(IMAGES.astype(np.float32) / np.float32(255)), module(IMAGES))


def test_values_that_are_not_finite(tf: Any, save: Save, store: Store) -> None:
    module = load(given(save("log", IMAGE, lambda x: tf.math.log(x[:, 0, 0]))), store=store)
    with pytest.raises(ModuleError, match="gave values that are not finite; is value_range right"):
        module(np.zeros((2, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("name", "shape", "body", "said"),
    [
        ("channels", (None, 8, 8, 1), "x[:, 0, 0]", r"takes pictures with 1 channels; expected 3"),
        ("cube", (None, 8, 8), "x[:, 0]", r"takes \(None, 8, 8\); expected pictures \(N, H, W, 3\) or a waveform"),
        ("flat", IMAGE, "x[:, 0, 0, 0]", r"gave \(2,\) for 2 images; expected \(2, features\)"),
        ("single", (1, 32, 32, 3), "x[:, 0, 0]", r"cannot be fed images \(2, 32, 32, 3\)"),
        ("open", None, "x", r"does not say what it takes|has nothing that can be called"),
    ],
)
def test_modules_that_do_not_fit(save: Save, store: Store, name: str, shape: Any, body: str, said: str) -> None:
    folder = save(name, shape, lambda x: eval(body, {"x": x}))
    with pytest.raises(ModuleError, match=rf"module '.*{name}' ({said})") as caught:
        load(given(folder), store=store)
    assert "\n" not in str(caught.value)


def test_a_rate_for_images_is_refused(averaging: Path, store: Store) -> None:
    with pytest.raises(ModuleError, match=r"takes pictures; sample_rate=16000 does not apply"):
        load(given(averaging, sample_rate=16000), store=store)


@pytest.mark.parametrize("damage", ["graph", "variables", "no variables", "nothing to call"])
def test_a_broken_module_is_one_line(tf: Any, averaging: Path, tmp_path: Path, store: Store, damage: str) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(averaging, folder)
    data = next(folder.glob("variables/variables.data*"))
    if damage == "graph":
        (folder / "saved_model.pb").write_bytes(b"\x07no graph at all")
    elif damage == "variables":
        data.write_bytes(data.read_bytes()[:-3])
    elif damage == "no variables":
        shutil.rmtree(data.parent)
    else:
        shutil.rmtree(folder)
        tf.saved_model.save(tf.Module(), str(folder))
    with pytest.raises(ModuleError, match=r"module '.*broken'(: cannot be loaded \(| has nothing that can)") as caught:
        load(given(folder), store=store)
    assert "\n" not in str(caught.value)


# ---- batches


def test_a_few_images_of_a_batch_go_through_a_module_at_a_time(
    tf: Any, averaging: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(given(averaging), store=store)
    images = np.random.default_rng(1).integers(0, 256, (9, 32, 32, 3), np.uint8)
    taken: list[int] = []

    def noted(batch: Any, through: Callable[[Any], Any] = module.function) -> Any:
        taken.append(len(batch))
        return through(batch)

    monkeypatch.setattr(base, "images_at_once", lambda: 4)
    assert np.allclose(base.run_batch(noted, images), 2 * means(images), atol=1e-5)
    assert taken == [4, 4, 2]  # one alone would take another way through the kernels
    taken.clear()
    base.run_batch(functools.partial(noted, through=tf.identity), np.repeat(WAVES, 3, axis=0))
    assert taken == [9]


def test_on_a_processor_few_images_at_once_and_on_a_gpu_all(tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    threading = tf.config.threading
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    monkeypatch.setattr(threading, "get_intra_op_parallelism_threads", lambda: 3)
    assert tf_import.images_at_once() == 12
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"])
    assert tf_import.images_at_once() > 1000


# ---- waveforms


def test_waveforms_in_batches(tf: Any, save: Save, store: Store) -> None:
    folder = save("levels", (None, None), lambda x: tf.stack([tf.reduce_mean(x, 1), tf.reduce_max(x, 1)], 1))
    module = load(given(folder, sample_rate=8000), store=store)
    assert module.info == ModuleInfo(
        str(folder), folder_digest(folder), "waveform", 0, 0, (-1.0, 1.0), 8000, features=2
    )
    assert preprocessing(module.info)["sample_rate"] == 8000
    expected = 2 * np.stack([WAVES.mean(axis=1), WAVES.max(axis=1)], axis=1)
    assert np.allclose(module(WAVES), expected, atol=1e-5)


def like_yamnet(tf: Any) -> Callable[[Any], Any]:
    """(scores, embeddings, log_mel) of one waveform, a row for each patch of 4000 samples."""

    def body(wave: Any) -> Any:
        patches = tf.signal.frame(wave, 4000, 4000)
        embeddings = tf.stack([tf.reduce_mean(patches, 1), tf.reduce_max(patches, 1), tf.reduce_min(patches, 1)], 1)
        return tf.zeros_like(patches[:, :2]) + 9.0, embeddings, tf.zeros((96, 64))

    return body


def patch_means(waves: np.ndarray) -> np.ndarray:
    patches = 2 * waves.reshape(len(waves), -1, 4000)
    return np.stack([patches.mean(2).mean(1), patches.max(2).mean(1), patches.min(2).mean(1)], 1)


def test_waveforms_one_by_one_as_yamnet_is_published(tf: Any, save: Save, store: Store) -> None:
    module = load(given(save("yamnet", [None], like_yamnet(tf))), store=store)
    assert (module.info.takes, module.info.sample_rate, module.info.features) == ("waveform", 16000, 3)
    got = module(WAVES)
    assert np.allclose(got, patch_means(WAVES), atol=1e-5), "embeddings, not scores; their mean over the patches"
    assert np.array_equal(module(WAVES[1:2]), got[1:2])


def test_a_waveform_module_of_an_unknown_publisher(tf: Any, save: Save, store: Store) -> None:
    folder = save("whoever", [None], like_yamnet(tf))
    said = (
        r"takes a waveform, and its publisher is not known; give the rate .* \{handle = \.\.\., sample_rate = 16000\}"
    )
    with pytest.raises(ModuleError, match=said):
        load(given(folder), store=store)
    with pytest.raises(ModuleError, match="takes a waveform; image_size and value_range do not apply"):
        load(given(folder, sample_rate=8000, image_size=[96, 96]), store=store)
    module = load(given(folder, sample_rate=8000), store=store)
    assert module.info.sample_rate == 8000
    assert np.allclose(module(WAVES), patch_means(WAVES), atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2])
def test_a_fixed_number_of_samples_is_fed_window_by_window(tf: Any, save: Save, store: Store, rank: int) -> None:
    def body(x: Any) -> Any:
        return tf.stack([tf.reduce_mean(x, -1), tf.reduce_max(x, -1)], -1)

    folder = save(f"fixed_{rank}", [4000] if rank == 1 else (None, 4000), body)
    module = load(given(folder, sample_rate=8000), store=store)
    cut = np.concatenate([WAVES, WAVES[:, :1000]], axis=1)
    whole = np.pad(cut, ((0, 0), (0, -cut.shape[1] % 4000)))
    windows = 2 * whole.reshape(len(whole), -1, 4000)
    expected = np.stack([windows.mean(2).mean(1), windows.max(2).mean(1)], axis=1)
    assert np.allclose(module(cut), expected, atol=1e-5)


# ---- what is known without loading


def test_describe_does_not_import_tensorflow(averaging: Path, store: Store) -> None:
    handles = [str(averaging), "builtin:scattering"]
    expected = [asdict(load(parse(handle), store=store).info) for handle in handles]
    code = (
        "import json, sys\n"
        "from dataclasses import asdict\n"
        "from harness import hub\n"
        "print(json.dumps([asdict(hub.describe(hub.parse(h))) for h in sys.argv[1:]]))\n"
        "heavy = {'tensorflow', 'keras', 'tensorflow_hub', 'kagglehub'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    environment = {**os.environ, "SOUNDFOLD_STORE": str(store.root)}
    done = subprocess.run([sys.executable, "-c", code, *handles], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))


def test_describe_asks_the_store_first(averaging: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(kinds, "load", lambda spec, **more: loaded.append(spec.handle) or load(spec, **more))
    infos = [describe(given(averaging), store=store) for _ in range(2)]
    assert infos[0] == infos[1]
    assert len(loaded) == 1
    assert describe(given(averaging, value_range=[-1, 1]), store=store).value_range == (-1.0, 1.0)
    assert len(loaded) == 2, "what is given by hand is part of the key"


def test_a_changed_module_is_read_anew(tf: Any, save: Save, averaging: Path, tmp_path: Path, store: Store) -> None:
    folder = tmp_path / "module"
    shutil.copytree(averaging, folder)
    before = describe(given(folder), store=store)
    shutil.rmtree(folder)
    shutil.copytree(save("two", IMAGE, lambda x: x[:, 0, 0, :2]), folder)
    after = describe(given(folder), store=store)
    assert (before.features, after.features) == (3, 2)
    assert before.digest != after.digest


def test_scattering_is_a_module_like_any(store: Store) -> None:
    spec = parse("builtin:scattering")
    module = load(spec, store=store)
    assert describe(spec, store=store) == module.info
    images = RNG.integers(0, 256, (3, module.info.height, module.info.width, 3), np.uint8)
    got = module(images)
    assert got.shape == (3, module.info.features)
    assert np.allclose(module(images[2:]), got[2:], rtol=0, atol=ROUNDING)


# ---- Keras applications


@pytest.fixture
def application(tf: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Put a function in the place of MobileNetV2's builder, which would fetch weights."""
    build = tf.keras.applications.MobileNetV2

    def put(replacement: Any) -> None:
        monkeypatch.setattr(tf.keras.applications, "MobileNetV2", functools.wraps(build)(replacement))

    return put


def test_a_keras_application(tf: Any, application: Callable[[Any], None], store: Store) -> None:
    built: list[dict[str, Any]] = []

    def tiny(**more: Any) -> Any:
        built.append(more)
        layers = [tf.keras.Input(more["input_shape"]), tf.keras.layers.GlobalAveragePooling2D()]
        return tf.keras.Sequential(layers)

    application(tiny)
    module = load(parse({"handle": "keras:MobileNetV2", "image_size": [32, 32]}), store=store)
    assert built == [{"include_top": False, "pooling": "avg", "weights": "imagenet", "input_shape": (32, 32, 3)}]
    assert (module.info.height, module.info.features, module.info.value_range) == (32, 3, (0.0, 1.0))
    assert np.allclose(module(IMAGES), means(IMAGES) * 2 - 1, atol=1e-5), "MobileNet's own preprocessing"
    assert describe(parse("keras:MobileNetV2"), store=store).height == 224


def test_an_application_that_cannot_be_fetched(
    application: Callable[[Any], None], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: Any) -> Any:
        print("Downloading data from https://storage.googleapis.com/x")
        raise Exception("URL fetch failure on https://storage.googleapis.com/x:\n None -- [Errno -3] Temporary failure")

    application(refuse)
    with pytest.raises(ModuleError) as caught:
        load(parse("keras:MobileNetV2"), store=store)
    assert re.fullmatch(
        r"module 'keras:MobileNetV2' is not available \(URL fetch failure on .* Temporary failure\); "
        r"without a network there are builtin:scattering, a local SavedModel folder, and handles fetched .*",
        str(caught.value),
    )
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")


def test_an_application_that_is_misspelt(store: Store) -> None:
    with pytest.raises(ModuleError, match=r"'keras:MobilNetV2' is not known; did you mean 'MobileNetV2'\? available: "):
        load(parse("keras:MobilNetV2"), store=store)


# ---- the real ones


@pytest.mark.corpus
def test_mobilenet_gives_one_image_the_same_features_in_any_batch(mobilenet: Path, store: Store) -> None:
    module = load(given(mobilenet), store=store)
    assert (module.info.takes, module.info.height, module.info.width) == ("image", 224, 224)
    assert module.info.features == 1280
    images = RNG.integers(0, 256, (9, 224, 224, 3), np.uint8)
    many = module(images)
    assert many.std(axis=0).max() > 0.01
    for i in range(9):
        assert np.allclose(module(images[i : i + 1])[0], many[i], rtol=0, atol=ROUNDING)
    assert np.allclose(np.concatenate([module(images[:4]), module(images[4:])]), many, rtol=0, atol=ROUNDING)


@pytest.mark.corpus
def test_yamnet_hears_16_khz(yamnet: Path, esc10: Path, store: Store) -> None:
    module = load(given(yamnet), store=store)
    assert (module.info.takes, module.info.sample_rate) == ("waveform", 16000)
    paths = sorted(esc10.rglob("*.ogg"))[::150]
    waves = np.stack([np.resize(audio.load(p, sr=16000), 64000) for p in paths])
    got = module(waves)
    assert got.shape == (len(paths), module.info.features)
    assert np.isfinite(got).all()
    assert not np.allclose(got[0], got[1])
    assert np.allclose(module(waves[:1]), got[:1], rtol=0, atol=ROUNDING)
