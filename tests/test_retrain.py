"""retrain.py as a whole: every flag and its effect, outputs, messages, exit codes, resuming."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from retrain_parts import CLASSES, Outcome, draw, old_format_module, small_module, train, vector_keys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from converter import LogMel, convert_clips
from corpora import load
from harness import tables
from harness.hub import parse
from harness.hub.tensorflow import import_tensorflow
from harness.image import read, resize
from harness.store import Store
from labeler import label_files, load_model
from trainer import HeadSettings, SgdSettings, cross_validate, image_features, retrain_commands, training_order
from trainer.retrain import callback
from trainer.retrain.flags import Flags
from trainer.sgd import Step

Trainer = Callable[..., Outcome]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn") / "img")


@pytest.fixture
def trained(tmp_path: Path, drawn: Path, tiny_module: str) -> Trainer:
    """Run with flags, in a folder of its own name."""
    return lambda *flags, name="run": train(tmp_path / name, drawn, tiny_module, *flags)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, drawn: Path, tiny_module: str) -> Outcome:
    """A run with 30 steps, and everything else as it is by default."""
    root = tmp_path_factory.mktemp("plain")
    return train(root, drawn, tiny_module, "--store", f"{root}/store")


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory, drawn: Path, tiny_module: str) -> Outcome:
    """A run with every flag that says where and what to write, and the sizes of batches."""
    root = tmp_path_factory.mktemp("full")
    return train(
        root, drawn, tiny_module, "--output_graph", f"{root}/deep/down/my.pb", "--output_labels", f"{root}/names.txt",
        "--summaries_dir", f"{root}/board", "--checkpoint_path", f"{root}/deep/ck",
        "--intermediate_output_graphs_dir", f"{root}/mid", "--intermediate_store_frequency", "10",
        "--saved_model_dir", f"{root}/model", "--bottleneck_dir", f"{root}/bottles", "--store", f"{root}/unused",
        "--bottleneck_text", "--final_tensor_name", "my_answer", "--eval_step_interval", "12",
        "--validation_batch_size=33", "--test_batch_size", "17", "--learning_rate=0.3",
    )  # fmt: skip


def scores_of(graph: Path, pixels: np.ndarray, *, output: str = "final_result") -> np.ndarray:
    """What a frozen graph says of images, float32 (N, 16, 16, 3) in [0, 1]."""
    tf = import_tensorflow()
    definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=loaded) as session:
            return session.run(f"{output}:0", {"Placeholder:0": pixels})


def pixels_of(*files: Path) -> np.ndarray:
    return np.stack([resize(read(f), 16, 16) for f in files]).astype(np.float32) / 255


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Scalars by tag, and the steps of histograms, by TensorBoard's own reader."""
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    reader.Reload()
    tags = reader.Tags()
    scalars = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in tags["scalars"]}
    return scalars | {
        tag: [(e.step, e.histogram_value.num) for e in reader.Histograms(tag)] for tag in tags["histograms"]
    }


def n_of(run: Outcome) -> int:
    """How many images the final accuracy is of."""
    assert run.code == 0, run.err
    return int(re.search(r"Final test accuracy = [\d.]+% \(N=(\d+)\)", run.err)[1])


# Every flag has a test of its name, that shows its effect.


def test_every_flag_has_a_test() -> None:
    assert {f"test_{name}" for name in Flags.model_fields} <= set(globals())


def test_image_dir(trained: Trainer, tmp_path: Path) -> None:
    other = draw(tmp_path / "other", per_class=6, classes=("Cat_1", "dog", "ox", "yak"))
    assert trained("--image_dir", str(other)).code == 0
    assert (tmp_path / "run/labels.txt").read_text() == "cat 1\ndog\nox\nyak\n"


def test_output_graph(full: Outcome) -> None:
    assert full.code == 0
    assert (full.folder / "deep/down/my.pb").is_file() and not (full.folder / "graph.pb").exists()


def test_output_labels(full: Outcome) -> None:
    assert (full.folder / "names.txt").read_text().split() == list(CLASSES)


def test_summaries_dir(full: Outcome) -> None:
    assert list((full.folder / "board/train").glob("events.*"))
    assert list((full.folder / "board/validation").glob("events.*"))
    assert not (full.folder / "logs").exists()


def test_checkpoint_path(full: Outcome) -> None:
    assert (full.folder / "deep/ck").is_file() and not (full.folder / "checkpoint").exists()


def test_intermediate_output_graphs_dir(full: Outcome, plain: Outcome) -> None:
    assert sorted(p.name for p in (full.folder / "mid").iterdir()) == ["intermediate_10.pb", "intermediate_20.pb"]
    assert not (full.folder / "between").exists() and not (plain.folder / "between").exists()


def test_intermediate_store_frequency(full: Outcome) -> None:
    assert len(full.lines("Save intermediate result to : ")) == 2
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    graphs = ("mid/intermediate_10.pb", "deep/down/my.pb")
    middle, last = (scores_of(full.folder / name, pixels, output="my_answer") for name in graphs)
    assert middle.shape == (2, 3) and np.abs(middle - last).max() > 1e-4


def test_final_tensor_name(full: Outcome, trained: Trainer) -> None:
    pixels = np.zeros((1, 16, 16, 3), np.float32)
    for graph in ("deep/down/my.pb", "mid/intermediate_20.pb"):
        assert scores_of(full.folder / graph, pixels, output="my_answer").sum() == pytest.approx(1)
    assert (full.folder / "model/saved_model.pb").is_file()
    assert "final_tensor_name='Placeholder': the graph has" in trained("--final_tensor_name=Placeholder").err


def test_saved_model_dir(full: Outcome, trained: Trainer, tmp_path: Path) -> None:
    model = full.folder / "model"
    assert all((model / name).is_file() for name in ("labels.txt", "model.json", "saved_model.pb"))
    assert (model / "labels.txt").read_text() == (full.folder / "names.txt").read_text()
    (tmp_path / "older").mkdir()
    (tmp_path / "older/model.json").write_text("{}")
    assert trained("--saved_model_dir", str(tmp_path / "older")).code == 0, "an older model is replaced"
    assert (tmp_path / "older/saved_model.pb").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("all of it")
    refused = trained("--saved_model_dir", str(tmp_path / "mine"))
    assert refused.code == 1 and "holds files that are not a model" in refused.err
    assert (tmp_path / "mine/thesis.txt").read_text() == "all of it"


def test_bottleneck_dir(full: Outcome) -> None:
    assert len(vector_keys(full.folder / "bottles")) == 72
    assert not (full.folder / "unused").exists()


def test_bottleneck_text(full: Outcome) -> None:
    files = sorted((full.folder / "bottles").glob("*/*.txt"))
    assert len(files) == 72
    assert re.fullmatch(r"00\.png_~.*~modules\d*~tiny\.txt", files[0].name) and files[0].parent.name == "blue"
    assert len([float(v) for v in files[0].read_text().split(",")]) == 12


def test_eval_step_interval(full: Outcome) -> None:
    assert [int(re.search(r"Step (\d+)", line)[1]) for line in full.lines("Cross entropy")] == [0, 12, 24, 29]


def test_test_batch_size(full: Outcome, plain: Outcome) -> None:
    assert n_of(full) == 17 != n_of(plain)


def test_validation_batch_size(full: Outcome, plain: Outcome) -> None:
    assert full.lines("Validation accuracy")[0].endswith("(N=33)")
    assert plain.lines("Validation accuracy")[0].endswith("(N=100)")


def test_how_many_training_steps(trained: Trainer) -> None:
    run = trained("--how_many_training_steps=7")
    assert run.lines("Step 6: Train accuracy = ") and not run.lines("Step 7: ")


def test_learning_rate(trained: Trainer, plain: Outcome) -> None:
    slow = trained("--learning_rate", "1e-6").weights
    assert np.abs(slow).max() < 0.0021 < 0.01 < np.abs(plain.weights).max()


def test_testing_percentage(trained: Trainer, plain: Outcome) -> None:
    assert n_of(plain) < 12 < 30 < n_of(trained("--testing_percentage", "60"))


def test_validation_percentage(trained: Trainer, plain: Outcome) -> None:
    run = trained("--validation_batch_size=-1", "--validation_percentage", "60")
    assert int(re.search(r"N=(\d+)", run.lines("Validation")[0])[1]) > 30


def test_train_batch_size(trained: Trainer) -> None:
    run = trained("--train_batch_size=1", "--eval_step_interval=1")
    assert {line.split(" = ")[1] for line in run.lines("Train accuracy")} <= {"100.0%", "0.0%"}


def test_print_misclassified_test_images(trained: Trainer, plain: Outcome) -> None:
    run = trained("--print_misclassified_test_images", "--how_many_training_steps=0", "--testing_percentage=50")
    start = run.err.index("=== MISCLASSIFIED TEST IMAGES ===")
    accuracy, n = re.search(r"Final test accuracy = ([\d.]+)% \(N=(\d+)\)", run.err).groups()
    rows = re.findall(r"INFO:retrain: *(\S+/img/(\w+)/\d\d\.png)  (\w+)$", run.err[start:], re.MULTILINE)
    assert len(rows) == round(int(n) * (1 - float(accuracy) / 100)) > 0
    assert all(folder != predicted for _, folder, predicted in rows)
    assert "MISCLASSIFIED" not in plain.err


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory, drawn: Path, tiny_module: str) -> Outcome:
    """Three steps without distortions."""
    root = tmp_path_factory.mktemp("short")
    return train(root, drawn, tiny_module, *SHORT, "--store", f"{root}/store")


SHORT = ("--how_many_training_steps=3", "--train_batch_size=20")


def check_distortion(trained: Trainer, short: Outcome, tmp_path: Path, *flags: str) -> None:
    run = trained(*flags, *SHORT, f"--store={tmp_path / 'store'}")
    assert run.code == 0 and not np.array_equal(run.weights, short.weights)
    n_stored = len(vector_keys(tmp_path / "store"))
    assert 0 < n_stored < 30, "only test and validation images are put into the store"
    assert n_of(run) == n_of(short)


def test_flip_left_right(trained: Trainer, short: Outcome, tmp_path: Path) -> None:
    check_distortion(trained, short, tmp_path, "--flip_left_right")


def test_random_crop(trained: Trainer, short: Outcome, tmp_path: Path) -> None:
    check_distortion(trained, short, tmp_path, "--random_crop", "20")


def test_random_scale(trained: Trainer, short: Outcome, tmp_path: Path) -> None:
    check_distortion(trained, short, tmp_path, "--random_scale", "30")


def test_random_brightness(trained: Trainer, short: Outcome, tmp_path: Path) -> None:
    check_distortion(trained, short, tmp_path, "--random_brightness", "50")


def test_the_same_seed_distorts_alike(trained: Trainer) -> None:
    flags = ("--flip_left_right", "--random_crop=20", "--random_scale=30", "--random_brightness=50", *SHORT)
    assert np.array_equal(trained(*flags).weights, trained(*flags, name="again").weights)


def test_tfhub_module(trained: Trainer, plain: Outcome, drawn: Path, tmp_path: Path) -> None:
    missing = trained("--tfhub_module", str(tmp_path / "none"))
    assert missing.code == 1 and "no such folder" in missing.err
    old = trained("--tfhub_module", old_format_module(tmp_path / "old"))
    assert np.allclose(old.weights, plain.weights, atol=1e-5), "a module in the old format gives the same features"
    pixels = pixels_of(drawn / "red/00.png")
    assert scores_of(old.folder / "graph.pb", pixels).sum() == pytest.approx(1, abs=1e-5)


def test_logging_verbosity(trained: Trainer) -> None:
    assert trained("--logging_verbosity", "ERROR").err == ""
    assert "INFO" not in trained("--logging_verbosity", "WARN", "--testing_percentage=0").err


def test_seed(trained: Trainer, plain: Outcome) -> None:
    one, again = (trained("--seed", "1").weights for _ in range(2))
    assert np.array_equal(one, again) and not np.array_equal(one, plain.weights)


def test_resume(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that is interrupted, and goes on with more steps, ends as if it had never stopped."""
    whole = trained("--how_many_training_steps=100", name="whole")
    monkeypatch.setattr(callback, "CHECKPOINT_SECONDS", 0.0)
    after_step = callback.TrainingCallback.__call__

    def interrupted(self: callback.TrainingCallback, step: Step) -> None:
        after_step(self, step)
        if step.number == 41:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callback.TrainingCallback, "__call__", interrupted)
        assert trained("--how_many_training_steps=60").code == 130
    run = trained("--how_many_training_steps=100", "--resume")
    assert np.array_equal(run.weights, whole.weights)
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    ours, theirs = (scores_of(each.folder / "graph.pb", pixels) for each in (run, whole))
    assert np.allclose(ours, theirs, atol=1e-6)
    assert not run.lines("Step 40: ") and run.lines("Step 50: ")
    steps = [step for step, _ in events(run.folder / "logs/train")["cross_entropy_1"]]
    assert set(steps) == set(range(100))


def test_test_list(trained: Trainer, tmp_path: Path) -> None:
    (tmp_path / "test.txt").write_text("red/03.png\nblue/05.png\ngreen/00.png\n")
    assert n_of(trained("--test_list", str(tmp_path / "test.txt"))) == 3


def test_validation_list(trained: Trainer, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("red/03.png\nblue/05.png\n")
    run = trained("--validation_list", str(tmp_path / "list.txt"), "--validation_batch_size=-1")
    assert run.lines("Validation accuracy")[0].endswith("(N=2)")


def test_split(trained: Trainer, plain: Outcome) -> None:
    def training_images(run: Outcome) -> str:
        with np.load(run.folder / "checkpoint") as arrays:
            return str(json.loads(str(arrays["training"]))["training_images"])

    assert training_images(trained("--split", "legacy")) != training_images(plain)


def test_allow_shared_groups(trained: Trainer, tmp_path: Path) -> None:
    draw(tmp_path / "images/gray", per_class=6)
    rows = [f"{k}/{i:02}.png,gray,gray/{k}/{i:02}.png,{k},,{k}{i // 2}," for k in CLASSES for i in range(6)]
    (tmp_path / "images/images.csv").write_text("clip_id,encoding,path,label,fold,group,spec\n" + "\n".join(rows))
    (tmp_path / "test.txt").write_text("red/00.png\n")
    flags = ("--image_dir", str(tmp_path / "images/gray"), "--test_list", str(tmp_path / "test.txt"))
    refused = trained(*flags)
    assert refused.code == 1 and "red0" in refused.err and "--allow_shared_groups" in refused.err
    assert trained(*flags, "--allow_shared_groups").code == 0


def test_image_size(trained: Trainer, tmp_path: Path) -> None:
    module = ("--tfhub_module", small_module(tmp_path / "any", any_size=True), "--saved_model_dir", f"{tmp_path}/model")
    assert trained(*module, "--image_size", "20x32").code == 0
    card = json.loads((tmp_path / "model/model.json").read_text())["module"]
    assert (card["height"], card["width"]) == (20, 32)
    assert "takes 16x16" in trained("--image_size=32x32").err


def test_value_range(trained: Trainer, plain: Outcome, tmp_path: Path) -> None:
    run = trained("--value_range=-1,1", "--saved_model_dir", f"{tmp_path}/model")
    assert json.loads((tmp_path / "model/model.json").read_text())["module"]["value_range"] == [-1, 1]
    assert not np.array_equal(run.weights, plain.weights)


def test_store(trained: Trainer, tmp_path: Path) -> None:
    trained(*SHORT, "--store", str(tmp_path / "mine"))
    assert len(vector_keys(tmp_path / "mine")) == 72


PLUGIN = """
from harness.files import digest_json
from harness.hub.base import HubModule, ModuleInfo, ModuleKind
from harness.hub.tensorflow import import_tensorflow

def load(spec):
    info = ModuleInfo(handle=spec.handle, digest=digest_json([spec.name]), takes="image", height=16, width=16,
                      value_range=(0.0, 1.0), sample_rate=0, features=16 * 3)
    tf = import_tensorflow()
    return HubModule(info, lambda images: tf.reshape(images[:, int(spec.name)], (-1, 48)))

ROW = ModuleKind(name="row", title="One row of pixels", load=load)
"""


def test_plugin(trained: Trainer, tmp_path: Path) -> None:
    (tmp_path / "rows.py").write_text(PLUGIN)
    run = trained("--plugin", f"{tmp_path}/rows.py", "--tfhub_module=row:3")
    assert run.code == 0 and run.weights.shape == (49, 3)
    missing = trained(f"--plugin={tmp_path}/rows.py", "--plugin=/nowhere.py", "--image_dir=")
    assert missing.code == 1 and "plugin '/nowhere.py': no such file" in missing.err


# Whole runs: messages, outputs, resuming, and what they share with the cross-validation and the labeler.


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--random_crop=-1"], "--random_crop=-1: must be an integer of 0 or more"),
        (["--testing_percentage=70", "--validation_percentage=30"],
         "--testing_percentage=70: with validation_percentage=30 nothing is left to train on"),
        (["--image_dir="], "Must set flag --image_dir."),
        (["--image_dir=/nowhere/at/all"], "Image directory '/nowhere/at/all' not found."),
        (["--tfhub_module=builtin:scatering"], "did you mean 'builtin:scattering'?"),
        (["--test_list=/nowhere.txt"], "list '/nowhere.txt' cannot be read"),
        (["--output_graph=/proc/nowhere/graph.pb"], "/proc/nowhere"),
    ],
)  # fmt: skip
def test_wrong_values_are_one_line(flags: list[str], said: str, trained: Trainer) -> None:
    run = trained(*flags, "--logging_verbosity=FATAL")
    assert run.code == 1
    assert said in run.err and run.err.count("\n") == 1 and run.err.startswith("error: ")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, retrain, label_image\n"
        "for program in (retrain, label_image):\n"
        "    for flag, code in (('--help', 0), ('--misspelt', 2)):\n"
        "        try: program.main([flag, '--image', 'x'])\n"
        "        except SystemExit as left: assert left.code == code\n"
        "assert not {'numpy', 'tensorflow', 'pandas', 'PIL', 'scipy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--validation_list" in done.stdout and "--input_std" in done.stdout


def test_the_log_lines_and_the_result(trained: Trainer) -> None:
    run = trained("--how_many_training_steps=600", "--learning_rate=0.2")
    assert run.code == 0
    assert [line.split(":")[-1] for line in run.lines("Looking")] == [f"Looking for images in '{c}'" for c in CLASSES]
    for pattern in (
        r": Step 0: Train accuracy = \d+\.\d%$",
        r": Step 590: Cross entropy = \d+\.\d{6}$",
        r": Step 599: Validation accuracy = \d+\.\d% \(N=100\)$",
        r"^INFO:retrain:Final test accuracy = \d+\.\d% \(N=\d+\)$",
        r"^INFO:retrain:Save final result to : ",
    ):
        assert re.search(pattern, run.err, re.MULTILINE), pattern
    final = re.search(r"Final test accuracy = ([\d.]+)%", run.out)
    assert final and float(final[1]) >= 80


def test_tensorboard_reads_the_old_tags_and_other_files_stay(trained: Trainer, tmp_path: Path) -> None:
    logs = tmp_path / "run" / "logs"
    (logs / "train").mkdir(parents=True)
    for name in ("notes.txt", "train/events.out.tfevents.1.old", "train/mine.txt"):
        (logs / name).write_text("")
    trained("--eval_step_interval=10")
    assert (logs / "notes.txt").exists() and (logs / "train/mine.txt").exists()
    assert not (logs / "train/events.out.tfevents.1.old").exists()
    wanted = {f"final_retrain_ops/{part}/summaries/{name}" for part in ("weights", "biases")
              for name in ("mean", "stddev_1", "max", "min", "histogram")}  # fmt: skip
    wanted |= {"final_retrain_ops/Wx_plus_b/pre_activations", "activations", "cross_entropy_1", "accuracy_1"}
    train_events, validation_events = events(logs / "train"), events(logs / "validation")
    assert wanted <= set(train_events) and wanted <= set(validation_events)
    assert [step for step, _ in train_events["cross_entropy_1"]] == list(range(30))
    assert [step for step, _ in validation_events["accuracy_1"]] == [0, 10, 20, 29]
    assert train_events["final_retrain_ops/weights/summaries/histogram"][0] == (0, 36)
    assert train_events["cross_entropy_1"][0][1] > train_events["cross_entropy_1"][-1][1] > 0


def test_graph_and_saved_model_agree(full: Outcome, drawn: Path) -> None:
    tf = import_tensorflow()
    pixels = pixels_of(*sorted(drawn.glob("*/0[0-4].png")))
    frozen = scores_of(full.folder / "deep/down/my.pb", pixels, output="my_answer")
    signature = tf.saved_model.load(f"{full.folder}/model").signatures["serving_default"]
    saved = signature(image=tf.constant(pixels))["prediction"].numpy()
    assert np.abs(frozen - saved).max() < 1e-5
    assert np.ptp(frozen[:, 0]) > 0.05


def test_the_graph_has_the_old_node_names(plain: Outcome) -> None:
    graph = import_tensorflow().compat.v1.GraphDef.FromString((plain.folder / "graph.pb").read_bytes())
    wanted = {"Placeholder", "final_result", "input/BottleneckInputPlaceholder", "input/GroundTruthInput"}
    assert wanted <= {node.name for node in graph.node}


def test_a_checkpoint_of_another_training_is_refused(trained: Trainer) -> None:
    assert trained("--resume").code == 0  # nothing to go on from yet: from the start
    other = trained("--resume", "--seed=9", "--learning_rate=0.02")
    assert other.code == 1 and "belongs to another training: learning_rate, seed differ" in other.err
    (other.folder / "checkpoint").write_text("no")
    assert "not a checkpoint" in trained("--resume").err


def test_a_checkpoint_with_more_steps_than_asked_for_is_refused(trained: Trainer) -> None:
    first = trained("--how_many_training_steps=60")
    before = {name: (first.folder / name).read_bytes() for name in ("graph.pb", "checkpoint")}
    fewer = trained("--resume", "--how_many_training_steps=20", "--logging_verbosity=FATAL")
    assert fewer.code == 1 and fewer.err.count("\n") == 1
    assert "--how_many_training_steps=20: the checkpoint" in fewer.err
    assert "has 60 steps already; ask for 60 or more, or leave out --resume" in fewer.err
    assert {name: (first.folder / name).read_bytes() for name in before} == before
    assert trained("--resume", "--how_many_training_steps=60").code == 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--output_graph={0}"], "--output_graph='{0}': a folder; expected a file to write"),
        (["--output_labels={0}/new/"], "--output_labels='{0}/new/': a folder; expected a file to write"),
        (["--output_graph={0}/file/graph.pb"], "--output_graph='{0}/file/graph.pb': cannot be written"),
        (["--output_labels=/proc/nowhere/labels.txt"], "--output_labels='/proc/nowhere/labels.txt': cannot be written"),
        (["--output_graph={0}/" + 300 * "g"], "cannot be written (File name too long)"),
        (["--checkpoint_path={0}"], "--checkpoint_path='{0}': a folder; expected a file to write"),
        (["--summaries_dir={0}/file"], "--summaries_dir='{0}/file': cannot be written"),
        (["--intermediate_store_frequency=5", "--intermediate_output_graphs_dir={0}/file"],
         "--intermediate_output_graphs_dir='{0}/file': cannot be written"),
        (["--output_graph={0}/same", "--output_labels={0}/./same"], "--output_graph is written there"),
        (["--final_tensor_name=input/GroundTruthInput"], "GroundTruthInput': the graph has a node"),
        (["--final_tensor_name=final_retrain_ops/biases/final_biases"], "the graph has a node of that name already"),
        (["--final_tensor_name=final result"], "--final_tensor_name='final result': must be the name of a node"),
    ],
)  # fmt: skip
def test_outputs_are_checked_before_any_image_is_read(
    flags: list[str], said: str, trained: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("trainer.retrain.run.read_sets", lambda *a, **k: pytest.fail("images were read"))
    run = trained(*(flag.format(tmp_path) for flag in flags), "--logging_verbosity=FATAL")
    assert run.code == 1
    assert said.format(tmp_path) in run.err and run.err.count("\n") == 1 and run.err.startswith("error: ")


def test_same_head_as_the_cross_validation_in_process(drawn: Path, tiny_module: str, tmp_path: Path) -> None:
    rows = [
        {"clip_id": f.relative_to(drawn).as_posix(), "encoding": "e", "path": str(f), "label": f.parent.name,
         "fold": str(int(f.stem) % 3)}
        for f in drawn.glob("*/*.png")
    ]  # fmt: skip
    table = training_order(tables.frame(rows, tables.IMAGES))
    module = parse(tiny_module)
    features = image_features([Path(p) for p in table["path"]], module, store=Store()).values
    settings = HeadSettings(head="sgd", sgd=SgdSettings(steps=150))
    heads = cross_validate(features, table, settings=settings, seed=4, store=Store(tmp_path / "heads")).heads
    words = retrain_commands(table, module, tmp_path / "folds", settings=settings.sgd, seed=4)["1"]
    run = train(tmp_path / "run", drawn, tiny_module, *words[3:], f"--checkpoint_path={tmp_path}/run/checkpoint")
    assert n_of(run) == 24
    assert np.array_equal(run.weights, np.vstack([heads["1"].weights, heads["1"].bias]))


def test_second_run_computes_no_bottleneck_and_a_changed_image_one(tiny_module: str, tmp_path: Path) -> None:
    images = draw(tmp_path / "img", per_class=5)
    store = tmp_path / "store"
    flags = ("--store", str(store))

    def entries() -> set[bytes]:
        return vector_keys(store)

    first = train(tmp_path / "a", images, tiny_module, *flags)
    before = entries()
    images.rename(tmp_path / "moved")
    second = train(tmp_path / "b", tmp_path / "moved", tiny_module, *flags)
    assert entries() == before and len(before) == 15
    assert np.array_equal(first.weights, second.weights)
    Image.new("RGB", (20, 24), "white").save(tmp_path / "moved/red/00.png")
    train(tmp_path / "c", tmp_path / "moved", tiny_module, *flags)
    assert len(entries()) == 16


@pytest.mark.parametrize("distort", [(), ("--random_crop=10",)])
def test_images_of_every_kind_and_one_that_is_none(distort: tuple[str, ...], tiny_module: str, tmp_path: Path) -> None:
    images = draw(tmp_path / "img", per_class=10)
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 255, (30, 20), dtype=np.uint8)
    Image.fromarray(gray).save(images / "red/gray.JPG")
    Image.fromarray(gray).convert("P").save(images / "red/palette.GIF")
    Image.fromarray(np.stack([gray] * 4, axis=2)).save(images / "red/alpha.PNG")
    Image.fromarray(gray.astype(np.uint16) * 200).save(images / "red/deep.png")
    Image.fromarray(gray).save(images / "red/plain.bmp")
    (images / "green/broken.png").write_bytes(b"no image")
    run = train(tmp_path / "run", images, tiny_module, "--how_many_training_steps=5", *distort)
    assert run.code == 1
    assert len(run.lines("left out")) == 1 and "green/broken.png" in run.lines("left out")[0]
    assert "1 images could not be read" in run.out and (run.folder / "graph.pb").is_file()


@pytest.mark.filterwarnings("error")
def test_a_class_without_a_training_image_is_named_and_its_weights_are_bounded(
    tiny_module: str, tmp_path: Path
) -> None:
    images = draw(tmp_path / "img", per_class=8)
    for file in (images / "green").iterdir():
        file.write_bytes(b"no image")
    run = train(tmp_path / "run", images, tiny_module, "--how_many_training_steps=300")
    assert run.lines("WARNING: no images that can be read for training in: green.")
    assert np.abs(run.weights).max() < 5
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    assert (scores_of(run.folder / "graph.pb", pixels)[:, 1] < 0.3).all()


@pytest.mark.parametrize("sizes", [(1, 1), (1, 30, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize("split", ["hash", "legacy"])
def test_tiny_and_empty_categories_never_crash(
    sizes: tuple[int, ...], split: str, tiny_module: str, tmp_path: Path
) -> None:
    for k, size in enumerate(sizes):
        draw(tmp_path / "img" / "..", per_class=size, classes=(f"img/c{k}",))
    flags = ("--split", split, "--how_many_training_steps=3", "--print_misclassified_test_images")
    run = train(tmp_path / "run", tmp_path / "img", tiny_module, *flags)
    assert run.code == 0 or "no images are left to train on" in run.err
    assert "Traceback" not in run.err
    if split == "hash":
        assert run.code == 0


def test_fifty_classes(tiny_module: str, tmp_path: Path) -> None:
    images = draw(tmp_path / "img", per_class=3, classes=tuple(f"c{k:02}" for k in range(50)))
    run = train(tmp_path / "run", images, tiny_module)
    assert run.code == 0 and run.weights.shape == (13, 50)
    assert len(run.lines("100 bottleneck files created.")) == 1


def test_a_module_with_fake_quantisation_is_named(drawn: Path, tmp_path: Path) -> None:
    run = train(tmp_path / "run", drawn, small_module(tmp_path / "quant", fake_quant=True))
    assert run.code == 0 and run.lines("quantisation-aware")


def test_a_waveform_module_is_refused(trained: Trainer, tiny_yamnet: str) -> None:
    run = trained("--tfhub_module", tiny_yamnet)
    assert run.code == 1 and "takes a waveform; retrain.py needs one that takes images" in run.err


@pytest.mark.corpus
def test_real_sounds_from_wav_to_label(esc10: Path, mobilenet: Path, tmp_path: Path) -> None:
    """Two classes of ESC-10, the fold that the old script died of, and the labeler on what comes out."""
    clips = load("esc50", esc10, classes=["clock_tick", "rain"])
    images = convert_clips(clips, {"logmel": LogMel()}, tmp_path / "i", store=Store()).images
    (tmp_path / "test.txt").write_text("".join(f"{c}\n" for c in clips.loc[clips["fold"] == "2", "clip_id"]))
    run = train(
        tmp_path / "run", tmp_path / "i/logmel", str(mobilenet), "--test_list", str(tmp_path / "test.txt"),
        "--saved_model_dir", str(tmp_path / "model"), "--how_many_training_steps=300",
    )  # fmt: skip
    assert n_of(run) == 16
    assert float(re.search(r"accuracy = ([\d.]+)%", run.out)[1]) >= 85
    assert "Groups are unknown" not in run.err
    sound, image = Path(clips["path"][0]), tmp_path / "i" / images["path"][0]
    of_sound, of_image = label_files(load_model(tmp_path / "model"), [sound, image])
    assert of_sound.scores is not None and of_image.scores is not None
    assert np.abs(of_sound.scores - of_image.scores).max() < 1e-5
    frozen = scores_of(run.folder / "graph.pb", resize(read(image), 224, 224)[None] / np.float32(255))
    assert np.abs(frozen[0] - of_image.scores).max() < 1e-5
