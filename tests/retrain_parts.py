"""What the tests of retrain.py and label_image.py share: class folders, small modules, one run."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import retrain
from harness.hub.tensorflow import import_tensorflow

SIZE = 16
CLASSES = ("blue", "green", "red")


def make_folders(root: Path, contents: dict[str, list[str]]) -> str:
    """Class folders with empty files."""
    for folder, files in contents.items():
        (root / folder).mkdir(parents=True)
        for file in files:
            (root / folder / file).touch()
    return str(root)


def draw(root: Path, *, per_class: int = 24, classes: tuple[str, ...] = CLASSES, noise: float = 40) -> Path:
    """Class folders of small noisy images: each class has a colour and a half that is bright."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            pixels = rng.normal(90, noise, (20, 24, 3))
            pixels[: 10 if k % 2 else 20, :, k % 3] += 40 + 10 * k
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / name / f"{i:02}.png")
    return root


def small_module(folder: Path, *, fake_quant: bool = False, any_size: bool = False, idle: int = 0) -> str:
    """A TF2 SavedModel: images (N, 16, 16, 3), or of any size, to 12 features; `idle` weights more change nothing."""
    tf = import_tensorflow()
    size = None if any_size else SIZE

    class Small(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            values = np.random.default_rng(1).standard_normal((48, 12)).astype(np.float32)
            self.kernel = tf.Variable(values, name="kernel")
            self.idle = tf.Variable(np.zeros(idle, np.float32)) if idle else None

        @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32, name="inputs")])
        def __call__(self, inputs: Any) -> Any:
            sized = tf.image.resize(inputs, (SIZE, SIZE)) if any_size else inputs
            pooled = tf.reshape(tf.nn.avg_pool2d(sized, 4, 4, "VALID"), (-1, 48))
            kernel = tf.quantization.fake_quant_with_min_max_args(self.kernel) if fake_quant else self.kernel
            if fake_quant:
                kernel = tf.quantization.fake_quant_with_min_max_vars(kernel, -6.0, 6.0)
            found = tf.nn.tanh(tf.matmul(pooled - 0.4, kernel))
            return found + tf.reduce_sum(self.idle) if idle else found

    module = Small()
    tf.saved_model.save(module, str(folder), signatures=module.__call__.get_concrete_function())
    return str(folder)


def old_format_module(folder: Path) -> str:
    """A module in the TF1 hub format, as tensorflow-hub wrote it: no tags, signatures, ``tfhub_module.pb``."""
    tf = import_tensorflow()
    tf1 = tf.compat.v1
    with tf.Graph().as_default():
        images = tf1.placeholder(tf.float32, (None, SIZE, SIZE, 3), name="images")
        kernel = tf1.get_variable(
            "kernel", initializer=np.random.default_rng(1).standard_normal((48, 12)).astype(np.float32)
        )
        pooled = tf.reshape(tf.nn.avg_pool2d(images, 4, 4, "VALID"), (-1, 48))
        features = tf.nn.tanh(tf.matmul(pooled - 0.4, kernel))
        signature = tf1.saved_model.build_signature_def(
            {"images": tf1.saved_model.build_tensor_info(images)},
            {"default": tf1.saved_model.build_tensor_info(features)},
            "",
        )
        builder = tf1.saved_model.Builder(str(folder))
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            builder.add_meta_graph_and_variables(
                session, [], signature_def_map={"default": signature, "image_feature_vector": signature}
            )
            builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")  # format version 3
    return str(folder)


@dataclass
class Outcome:
    """What a run left behind."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def weights(self) -> np.ndarray:
        """Of the head, from the checkpoint."""
        with np.load(self.folder / "checkpoint") as arrays:
            return np.vstack([arrays["weights"], arrays["bias"]])

    def lines(self, part: str) -> list[str]:
        """Log lines that hold `part`."""
        return [line for line in self.err.splitlines() if part in line]


def vector_keys(store: Path) -> set[bytes]:
    """Keys of the feature vectors in a store."""
    return {key.tobytes() for file in (store / "vectors").rglob("*.npy") for key in np.load(file)["keys"]}


def train(folder: Path, images: Path | str, module: str, *flags: str) -> Outcome:
    """Run retrain.py in this process, everything that it writes beneath `folder`; later flags win."""
    folder.mkdir(parents=True, exist_ok=True)
    given = [
        "--image_dir", str(images), "--tfhub_module", module, "--how_many_training_steps", "30",
        "--output_graph", str(folder / "graph.pb"), "--output_labels", str(folder / "labels.txt"),
        "--summaries_dir", str(folder / "logs"), "--checkpoint_path", str(folder / "checkpoint"),
        "--intermediate_output_graphs_dir", str(folder / "between"),
    ]  # fmt: skip
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        code = retrain.main([*given, *flags])
    return Outcome(code, out.getvalue(), err.getvalue(), folder)
