"""retrain.py as a whole: every flag and its effect, outputs, messages, exit codes, resuming."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from retrain_parts import CLASSES, Outcome, draw, old_format_module, small_module, train

import retrain
from harness.image import read, resize
from trainer.retrain.flags import Flags

Trainer = Callable[..., Outcome]


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn") / "img")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_module(tmp_path_factory.mktemp("modules") / "small")


@pytest.fixture
def trained(tmp_path: Path, drawn: Path, small: str, capsys: pytest.CaptureFixture[str]) -> Trainer:
    """Run with flags, in a folder of its own name."""

    def run(*flags: str, name: str = "run") -> Outcome:
        return train(tmp_path / name, capsys, drawn, small, *flags)

    return run


def scores_of(graph: Path, pixels: np.ndarray, *, output: str = "final_result") -> np.ndarray:
    """What a frozen graph says of pictures, float32 (N, 16, 16, 3) in [0, 1]."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef.FromString(graph.read_bytes())
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(definition, name="")
        with tf.compat.v1.Session(graph=loaded) as session:
            return session.run(f"{output}:0", {"Placeholder:0": pixels})


def pixels_of(*files: Path) -> np.ndarray:
    return np.stack([resize(read(f), 16, 16) for f in files]).astype(np.float32) / 255


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Scalars by tag, and the steps of histograms, by TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    reader.Reload()
    tags = reader.Tags()
    scalars = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in tags["scalars"]}
    return scalars | {
        tag: [(e.step, e.histogram_value.num) for e in reader.Histograms(tag)] for tag in tags["histograms"]
    }


# Every flag: what is passed to it, and what must come of it. `t` trains with flags.


def _image_dir(t: Trainer, tmp: Path) -> None:
    other = draw(tmp / "other", per_class=6, classes=("Cat_1", "dog", "ox", "yak"))
    assert t("--image_dir", str(other)).code == 0
    assert (tmp / "run/labels.txt").read_text() == "cat 1\ndog\nox\nyak\n"


def _output_graph(t: Trainer, tmp: Path) -> None:
    assert t("--output_graph", str(tmp / "deep/down/my.pb")).code == 0
    assert (tmp / "deep/down/my.pb").is_file() and not (tmp / "run/graph.pb").exists()


def _intermediate_output_graphs_dir(t: Trainer, tmp: Path) -> None:
    t("--intermediate_output_graphs_dir", str(tmp / "mid"), "--intermediate_store_frequency=20")
    assert (tmp / "mid/intermediate_20.pb").is_file()


def _intermediate_store_frequency(t: Trainer, tmp: Path) -> None:
    run = t("--intermediate_store_frequency", "10")
    assert sorted(p.name for p in (run.folder / "between").iterdir()) == ["intermediate_10.pb", "intermediate_20.pb"]
    assert run.lines("Save intermediate result to : ")
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    middle, last = (scores_of(run.folder / name, pixels) for name in ("between/intermediate_10.pb", "graph.pb"))
    assert middle.shape == (2, 3) and np.abs(middle - last).max() > 1e-4
    assert not (t(name="without").folder / "between").exists()


def _output_labels(t: Trainer, tmp: Path) -> None:
    t("--output_labels", str(tmp / "names.txt"))
    assert (tmp / "names.txt").read_text().split() == list(CLASSES)


def _summaries_dir(t: Trainer, tmp: Path) -> None:
    t("--summaries_dir", str(tmp / "board"))
    assert list((tmp / "board/train").glob("events.*")) and list((tmp / "board/validation").glob("events.*"))


def _how_many_training_steps(t: Trainer, tmp: Path) -> None:
    run = t("--how_many_training_steps=7")
    assert run.lines("Step 6: Train accuracy = ") and not run.lines("Step 7: ")


def _learning_rate(t: Trainer, tmp: Path) -> None:
    slow, fast = (t("--learning_rate", rate).weights for rate in ("1e-6", "0.5"))
    assert np.abs(slow).max() < 0.0021 < 0.05 < np.abs(fast).max()


def _testing_percentage(t: Trainer, tmp: Path) -> None:
    few, many = (n_of(t("--testing_percentage", p)) for p in ("5", "60"))
    assert few < 12 < 30 < many


def _validation_percentage(t: Trainer, tmp: Path) -> None:
    flags = ("--validation_batch_size=-1", "--validation_percentage")
    few, many = (int(re.search(r"N=(\d+)", t(*flags, p).lines("Validation")[0])[1]) for p in ("5", "60"))
    assert few < 12 < 30 < many


def _eval_step_interval(t: Trainer, tmp: Path) -> None:
    run = t("--eval_step_interval", "12")
    assert [int(re.search(r"Step (\d+)", line)[1]) for line in run.lines("Cross entropy")] == [0, 12, 24, 29]


def _train_batch_size(t: Trainer, tmp: Path) -> None:
    run = t("--train_batch_size=1", "--eval_step_interval=1")
    assert {line.split(" = ")[1] for line in run.lines("Train accuracy")} <= {"100.0%", "0.0%"}


def _test_batch_size(t: Trainer, tmp: Path) -> None:
    assert n_of(t("--test_batch_size", "17")) == 17
    assert n_of(t("--test_batch_size", "-1")) != 17


def _validation_batch_size(t: Trainer, tmp: Path) -> None:
    assert t("--validation_batch_size=33").lines("Validation accuracy")[0].endswith("(N=33)")
    assert t().lines("Validation accuracy")[0].endswith("(N=100)")


def _print_misclassified_test_images(t: Trainer, tmp: Path) -> None:
    wrong = ("--how_many_training_steps=0", "--testing_percentage=50")
    run = t("--print_misclassified_test_images", *wrong)
    start = run.err.index("=== MISCLASSIFIED TEST IMAGES ===")
    accuracy, n = re.search(r"Final test accuracy = ([\d.]+)% \(N=(\d+)\)", run.err).groups()
    rows = re.findall(r"INFO:retrain: *(\S+/img/(\w+)/\d\d\.png)  (\w+)$", run.err[start:], re.MULTILINE)
    assert len(rows) == round(int(n) * (1 - float(accuracy) / 100)) > 0
    assert all(folder != predicted for _, folder, predicted in rows)
    assert "MISCLASSIFIED" not in t(*wrong).err


def _bottleneck_dir(t: Trainer, tmp: Path) -> None:
    t("--bottleneck_dir", str(tmp / "bottles"), "--store", str(tmp / "unused"))
    assert len(list((tmp / "bottles/features").rglob("*.npy"))) == 72
    assert not (tmp / "unused").exists()


def _final_tensor_name(t: Trainer, tmp: Path) -> None:
    run = t(
        "--final_tensor_name", "my_answer", "--saved_model_dir", str(tmp / "m"), "--intermediate_store_frequency=20"
    )
    pixels = np.zeros((1, 16, 16, 3), np.float32)
    for graph in ("graph.pb", "between/intermediate_20.pb"):
        assert scores_of(run.folder / graph, pixels, output="my_answer").sum() == pytest.approx(1)
    assert (tmp / "m/saved_model.pb").is_file()
    assert "final_tensor_name='Placeholder': the graph has" in t("--final_tensor_name=Placeholder").err


def _distorted(flag: str, *values: str) -> Callable[[Trainer, Path], None]:
    def check(t: Trainer, tmp: Path) -> None:
        flags = ("--how_many_training_steps=3", "--train_batch_size=20", f"--store={tmp / 'store'}")
        run = t(flag, *values, *flags)
        plain = t(*flags[:2], name="plain")
        assert run.code == 0 and not np.array_equal(run.weights, plain.weights)
        assert np.array_equal(run.weights, t(flag, *values, *flags, name="again").weights)
        kept = len(list((tmp / "store/features").rglob("*.npy")))
        assert 0 < kept < 30, "only test and validation pictures are kept"
        assert n_of(run) == n_of(plain)

    return check


def _tfhub_module(t: Trainer, tmp: Path) -> None:
    assert t("--tfhub_module", old_format_module(tmp / "old")).code == 0
    missing = t("--tfhub_module", str(tmp / "none"))
    assert missing.code == 1 and "no such folder" in missing.err


def _saved_model_dir(t: Trainer, tmp: Path) -> None:
    run = t("--saved_model_dir", str(tmp / "model"))
    files = sorted(
        Path(f).name for f in ("labels.txt", "model.json", "saved_model.pb") if (tmp / "model" / f).is_file()
    )
    assert files == ["labels.txt", "model.json", "saved_model.pb"]
    assert (tmp / "model/labels.txt").read_text() == (run.folder / "labels.txt").read_text()

    assert t("--saved_model_dir", str(tmp / "model"), name="again").code == 0, "an older model is replaced"
    (tmp / "mine").mkdir()
    (tmp / "mine/thesis.txt").write_text("all of it")
    refused = t("--saved_model_dir", str(tmp / "mine"))
    assert refused.code == 1 and "holds files that are not a model" in refused.err
    assert (tmp / "mine/thesis.txt").read_text() == "all of it"


def _logging_verbosity(t: Trainer, tmp: Path) -> None:
    assert t("--logging_verbosity", "ERROR").err == ""
    assert "INFO" not in t("--logging_verbosity", "WARN", "--testing_percentage=0").err


def _checkpoint_path(t: Trainer, tmp: Path) -> None:
    t("--checkpoint_path", str(tmp / "deep/ck"))
    assert (tmp / "deep/ck").is_file()


def _seed(t: Trainer, tmp: Path) -> None:
    one, other, again = (t("--seed", seed).weights for seed in ("1", "2", "1"))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def _resume(t: Trainer, tmp: Path) -> None:
    whole = t("--how_many_training_steps=50", name="whole").weights
    t("--how_many_training_steps=20")
    run = t("--how_many_training_steps=50", "--resume")
    assert np.array_equal(run.weights, whole)
    assert not run.lines("Step 10: ") and run.lines("Step 30: ")


def _test_list(t: Trainer, tmp: Path) -> None:
    (tmp / "test.txt").write_text("red/03.png\nblue/05.png\ngreen/00.png\n")
    assert n_of(t("--test_list", str(tmp / "test.txt"))) == 3


def _validation_list(t: Trainer, tmp: Path) -> None:
    (tmp / "list.txt").write_text("red/03.png\nblue/05.png\n")
    run = t("--validation_list", str(tmp / "list.txt"), "--validation_batch_size=-1")
    assert run.lines("Validation accuracy")[0].endswith("(N=2)")


def _split(t: Trainer, tmp: Path) -> None:
    accuracy = {t(f"--split={how}", "--testing_percentage=40").weights.tobytes() for how in ("hash", "legacy")}
    assert len(accuracy) == 2


def _allow_shared_groups(t: Trainer, tmp: Path) -> None:
    draw(tmp / "images/gray", per_class=6)
    rows = [f"{k}/{i:02}.png,gray,gray/{k}/{i:02}.png,{k},,{k}{i // 2}," for k in CLASSES for i in range(6)]
    (tmp / "images/images.csv").write_text("clip_id,encoding,path,label,fold,group,spec\n" + "\n".join(rows))
    (tmp / "test.txt").write_text("red/00.png\n")
    flags = ("--image_dir", str(tmp / "images/gray"), "--test_list", str(tmp / "test.txt"))
    refused = t(*flags)
    assert refused.code == 1 and "group 'red0' stands in" in refused.err
    assert t(*flags, "--allow_shared_groups").code == 0


def _store(t: Trainer, tmp: Path) -> None:
    t("--store", str(tmp / "mine"))
    assert len(list((tmp / "mine/features").rglob("*.npy"))) == 72


def _image_size(t: Trainer, tmp: Path) -> None:
    module = ("--tfhub_module", small_module(tmp / "any", any_size=True), "--saved_model_dir", str(tmp / "model"))
    assert t(*module, "--image_size", "20x32").code == 0
    card = json.loads((tmp / "model/model.json").read_text())["module"]
    assert (card["height"], card["width"]) == (20, 32)
    assert "image_size='big': expected HEIGHTxWIDTH" in t("--image_size=big").err
    assert "takes 16x16" in t("--image_size=32x32").err


def _value_range(t: Trainer, tmp: Path) -> None:
    run = t("--value_range=-1,1", "--saved_model_dir", str(tmp / "model"))
    assert json.loads((tmp / "model/model.json").read_text())["module"]["value_range"] == [-1, 1]
    assert not np.array_equal(run.weights, t().weights)
    assert "value_range='1': expected two numbers" in t("--value_range=1").err


def _bottleneck_text(t: Trainer, tmp: Path) -> None:
    t("--bottleneck_text", "--bottleneck_dir", str(tmp / "text"))
    files = sorted((tmp / "text").glob("*/*.txt"))
    assert len(files) == 72
    assert re.fullmatch(r"00\.png_~.*~modules\d*~small\.txt", files[0].name) and files[0].parent.name == "blue"
    assert len([float(v) for v in files[0].read_text().split(",")]) == 12


def n_of(run: Outcome) -> int:
    """How many pictures the final accuracy is of."""
    assert run.code == 0, run.err
    return int(re.search(r"Final test accuracy = [\d.]+% \(N=(\d+)\)", run.err)[1])


EFFECTS: dict[str, Callable[[Trainer, Path], None]] = {
    name.removeprefix("_"): value
    for name, value in list(globals().items())
    if name.removeprefix("_") in {f.name for f in fields(Flags)}
} | {
    "flip_left_right": _distorted("--flip_left_right"),
    "random_crop": _distorted("--random_crop", "20"),
    "random_scale": _distorted("--random_scale", "30"),
    "random_brightness": _distorted("--random_brightness", "50"),
}


@pytest.mark.parametrize("flag", [f.name for f in fields(Flags)])
def test_every_flag_has_its_effect(flag: str, trained: Trainer, tmp_path: Path) -> None:
    EFFECTS[flag](trained, tmp_path)


def test_old_names_and_defaults() -> None:
    old = {
        "image_dir": "", "output_graph": "/tmp/output_graph.pb",
        "intermediate_output_graphs_dir": "/tmp/intermediate_graph/", "intermediate_store_frequency": 0,
        "output_labels": "/tmp/output_labels.txt", "summaries_dir": "/tmp/retrain_logs",
        "how_many_training_steps": 4000, "learning_rate": 0.01, "testing_percentage": 10, "validation_percentage": 10,
        "eval_step_interval": 10, "train_batch_size": 100, "test_batch_size": -1, "validation_batch_size": 100,
        "print_misclassified_test_images": False, "bottleneck_dir": "/tmp/bottleneck",
        "final_tensor_name": "final_result", "flip_left_right": False, "random_crop": 0, "random_scale": 0,
        "random_brightness": 0, "tfhub_module": "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/1",
        "saved_model_dir": "", "logging_verbosity": "INFO",
    }  # fmt: skip
    ours = {f.name: f.default for f in fields(Flags)}
    assert {name: ours[name] for name in old} == old
    assert list(ours)[:24] == list(old)
    assert all(type(ours[name]) is type(default) for name, default in old.items())


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--image_dri=x"], "error: unknown flag --image_dri: did you mean --image_dir?"),
        (["--how_many_training_step", "3"], "did you mean --how_many_training_steps?"),
        (["--image_dir", "x", "y"], "unexpected argument 'y'"),
        (["--random_crop=much"], "invalid int value: 'much'"),
        (["--split", "random"], "invalid choice: 'random'"),
    ],
)
def test_wrong_command_lines_are_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        retrain.main(argv)
    err = capsys.readouterr().err
    assert left.value.code == 2
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--random_crop=-1"], "random_crop=-1: expected 0 or more"),
        (["--random_brightness=101"], "random_brightness=101"),
        (["--eval_step_interval=0"], "eval_step_interval=0: expected 1 or more"),
        (["--test_batch_size=0"], "test_batch_size=0: expected 1 or more, or -1"),
        (["--train_batch_size=0"], "train_batch_size=0: expected 1 or more"),
        (["--learning_rate=0"], "learning_rate=0.0: expected a number above 0"),
        (["--testing_percentage=70", "--validation_percentage=30"], "nothing is left to train on"),
        (["--image_dir="], "Must set flag --image_dir."),
        (["--image_dir=/nowhere/at/all"], "Image directory '/nowhere/at/all' not found."),
        (["--tfhub_module=builtin:scatering"], "did you mean 'builtin:scattering'?"),
        (["--test_list=/nowhere.txt"], "list '/nowhere.txt' cannot be read"),
        (["--output_graph=/proc/nowhere/graph.pb"], "/proc/nowhere"),
    ],
)
def test_wrong_values_are_one_line(flags: list[str], said: str, trained: Trainer) -> None:
    run = trained(*flags, "--logging_verbosity=FATAL")
    assert run.code == 1
    assert said in run.err and run.err.count("\n") == 1 and run.err.startswith("error: ")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, retrain, label_image\n"
        "for program in (retrain, label_image):\n"
        "    try: program.main(['--help'])\n"
        "    except SystemExit as left: assert left.code == 0\n"
        "assert not {'numpy', 'tensorflow', 'pandas', 'PIL', 'scipy', 'typer'} & set(sys.modules)\n"
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
    for name in ("notes.txt", "train/events.out.tfevents.1.old", "train/kept.txt"):
        (logs / name).write_text("")
    trained("--eval_step_interval=10")
    assert (logs / "notes.txt").exists() and (logs / "train/kept.txt").exists()
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


def test_graph_and_saved_model_agree(trained: Trainer, drawn: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    run = trained("--saved_model_dir", str(tmp_path / "model"), "--learning_rate=0.3")
    pixels = pixels_of(*sorted(drawn.glob("*/0[0-4].png")))
    frozen = scores_of(run.folder / "graph.pb", pixels)
    signature = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    saved = signature(image=tf.constant(pixels))["prediction"].numpy()
    assert np.abs(frozen - saved).max() < 1e-5
    assert np.ptp(frozen[:, 0]) > 0.05
    names = {n.name for n in tf.compat.v1.GraphDef.FromString((run.folder / "graph.pb").read_bytes()).node}
    assert {"Placeholder", "final_result", "input/BottleneckInputPlaceholder", "input/GroundTruthInput"} <= names


def test_a_killed_training_goes_on_to_the_same_weights(trained: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer.retrain import callback as retrain_steps

    whole = trained("--how_many_training_steps=100", name="whole")
    monkeypatch.setattr(retrain_steps, "CHECKPOINT_SECONDS", 0.0)
    go_on = retrain_steps.Beside.__call__

    def killed(self: retrain_steps.Beside, step: object) -> None:
        go_on(self, step)  # type: ignore[arg-type]
        if step.number == 41:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    monkeypatch.setattr(retrain_steps.Beside, "__call__", killed)
    assert trained("--how_many_training_steps=100").code == 130
    monkeypatch.setattr(retrain_steps.Beside, "__call__", go_on)
    run = trained("--how_many_training_steps=100", "--resume")
    assert np.array_equal(run.weights, whole.weights)
    pixels = np.random.default_rng(0).random((2, 16, 16, 3)).astype(np.float32)
    assert np.allclose(
        scores_of(run.folder / "graph.pb", pixels), scores_of(whole.folder / "graph.pb", pixels), atol=1e-6
    )
    assert not run.lines("Step 40: ") and run.lines("Step 50: ")
    steps = [step for step, _ in events(run.folder / "logs/train")["cross_entropy_1"]]
    assert set(steps) == set(range(100))


def test_a_checkpoint_of_another_training_is_refused(trained: Trainer) -> None:
    assert trained("--resume").code == 0  # nothing to go on from yet: from the start
    other = trained("--resume", "--seed=9", "--learning_rate=0.02")
    assert other.code == 1 and "belongs to another training: learning_rate, seed differ" in other.err
    (other.folder / "checkpoint").write_text("no")
    assert "not a checkpoint" in trained("--resume").err


def test_same_head_as_the_cross_validation_in_process(
    drawn: Path, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness import tables
    from harness.hub import handles
    from harness.store import Store
    from trainer.bottlenecks import image_features
    from trainer.commands import retrain_commands
    from trainer.crossvalidate import HeadSettings, cross_validate, training_order
    from trainer.sgd import SgdSettings

    rows = [
        {"clip_id": f.relative_to(drawn).as_posix(), "encoding": "e", "path": str(f), "label": f.parent.name,
         "fold": str(int(f.stem) % 3)}
        for f in drawn.glob("*/*.png")
    ]  # fmt: skip
    table = training_order(tables.frame(rows, tables.IMAGES))
    module = handles.parse(small)
    features = image_features([Path(p) for p in table["path"]], module, store=Store()).values
    settings = HeadSettings(head="sgd", sgd=SgdSettings(steps=150))
    heads = cross_validate(features, table, settings=settings, seed=4, store=Store(tmp_path / "heads")).heads
    words = retrain_commands(table, module, tmp_path / "folds", settings=settings.sgd, seed=4)["1"]
    run = train(
        tmp_path / "run", capsys, drawn, small, *words[3:], "--checkpoint_path", str(tmp_path / "run/checkpoint")
    )
    assert n_of(run) == 24
    assert np.array_equal(run.weights, np.vstack([heads["1"].weights, heads["1"].bias]))


def test_second_run_computes_no_bottleneck_and_a_changed_picture_one(
    drawn: Path, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = draw(tmp_path / "img", per_class=5)
    store = tmp_path / "store"
    flags = ("--store", str(store))

    def entries() -> dict[str, int]:
        return {p.name: p.stat().st_mtime_ns for p in (store / "features").rglob("*.npy")}

    first = train(tmp_path / "a", capsys, images, small, *flags)
    before = entries()
    images.rename(tmp_path / "moved")
    second = train(tmp_path / "b", capsys, tmp_path / "moved", small, *flags)
    assert entries() == before and len(before) == 15
    assert np.array_equal(first.weights, second.weights)
    Image.new("RGB", (20, 24), "white").save(tmp_path / "moved/red/00.png")
    train(tmp_path / "c", capsys, tmp_path / "moved", small, *flags)
    assert len(entries()) == 16


@pytest.mark.parametrize("distort", [(), ("--random_crop=10",)])
def test_pictures_of_every_kind_and_one_that_is_none(
    distort: tuple[str, ...], small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = draw(tmp_path / "img", per_class=10)
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 255, (30, 20), dtype=np.uint8)
    Image.fromarray(gray).save(images / "red/gray.JPG")
    Image.fromarray(gray).convert("P").save(images / "red/palette.GIF")
    Image.fromarray(np.stack([gray] * 4, axis=2)).save(images / "red/alpha.PNG")
    Image.fromarray(gray.astype(np.uint16) * 200).save(images / "red/deep.png")
    Image.fromarray(gray).save(images / "red/plain.bmp")
    (images / "green/broken.png").write_bytes(b"no picture")
    run = train(tmp_path / "run", capsys, images, small, "--how_many_training_steps=5", *distort)
    assert run.code == 1
    assert len(run.lines("left out")) == 1 and "green/broken.png" in run.lines("left out")[0]
    assert "1 images could not be read" in run.out and (run.folder / "graph.pb").is_file()


@pytest.mark.parametrize("sizes", [(1, 1), (1, 30, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize("split", ["hash", "legacy"])
def test_tiny_and_empty_categories_never_crash(
    sizes: tuple[int, ...], split: str, small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, size in enumerate(sizes):
        draw(tmp_path / "img" / "..", per_class=size, classes=(f"img/c{k}",))
    flags = ("--split", split, "--how_many_training_steps=3", "--print_misclassified_test_images")
    run = train(tmp_path / "run", capsys, tmp_path / "img", small, *flags)
    assert run.code == 0 or "no images are left to train on" in run.err
    assert "Traceback" not in run.err
    if split == "hash":
        assert run.code == 0


def test_fifty_classes(small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = draw(tmp_path / "img", per_class=3, classes=tuple(f"c{k:02}" for k in range(50)))
    run = train(tmp_path / "run", capsys, images, small)
    assert run.code == 0 and run.weights.shape == (13, 50)
    assert len(run.lines("100 bottleneck files created.")) == 1


def test_a_module_with_fake_quantisation_gets_a_word(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train(tmp_path / "run", capsys, drawn, small_module(tmp_path / "quant", fake_quant=True))
    assert run.code == 0 and run.lines("quantisation-aware")


def test_an_old_format_module_gives_the_features_of_the_new_one(
    trained: Trainer, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = train(tmp_path / "old_run", capsys, drawn, old_format_module(tmp_path / "old"))
    assert np.allclose(old.weights, trained().weights, atol=1e-5)
    pixels = pixels_of(drawn / "red/00.png")
    assert scores_of(old.folder / "graph.pb", pixels).sum() == pytest.approx(1, abs=1e-5)


def test_a_waveform_module_is_refused(trained: Trainer, test_data: Path) -> None:
    run = trained("--tfhub_module", str(test_data / "modules/yamnet_waveform_audioset"))
    assert run.code == 1 and "takes a waveform; retrain.py needs one that takes images" in run.err


test_a_waveform_module_is_refused = pytest.mark.corpus(test_a_waveform_module_is_refused)


@pytest.mark.corpus
def test_real_sounds_from_wav_to_label(
    esc10: Path, mobilenet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two classes of ESC-10, the fold that the old script died of, and the labeler on what comes out."""
    from converter.options import specs_from_options
    from converter.pipeline import convert
    from corpora.loading import load
    from harness.store import Store
    from labeler.loading import load_model
    from labeler.predict import label_files

    clips = load("esc50", esc10, classes=["clock_tick", "rain"])
    images, _ = convert(
        clips, specs_from_options(["logmel"], preset="", size="", pairs=[]), tmp_path / "i", store=Store()
    )
    (tmp_path / "test.txt").write_text("".join(f"{c}\n" for c in clips.loc[clips["fold"] == "2", "clip_id"]))
    run = train(
        tmp_path / "run", capsys, tmp_path / "i/logmel", str(mobilenet), "--test_list", str(tmp_path / "test.txt"),
        "--saved_model_dir", str(tmp_path / "model"), "--how_many_training_steps=300",
    )  # fmt: skip
    assert n_of(run) == 16
    assert float(re.search(r"accuracy = ([\d.]+)%", run.out)[1]) >= 85
    assert "Groups are unknown" not in run.err
    sound, picture = (Path(table["path"][0]) for table in (clips, images))
    model = load_model(tmp_path / "model")
    heard, seen = label_files(model, [sound, tmp_path / "i" / picture])
    assert heard.scores is not None and seen.scores is not None
    assert np.abs(heard.scores - seen.scores).max() < 1e-5
    frozen = scores_of(
        run.folder / "graph.pb", resize(read(tmp_path / "i" / picture), 224, 224)[None] / np.float32(255)
    )
    assert np.abs(frozen[0] - seen.scores).max() < 1e-5
