"""label_image.py: the classic flags, on our graphs and on others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from retrain_parts import draw, train

import label_image
from harness.hub.tensorflow import import_tensorflow
from harness.image import read, resize


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_module: str) -> Path:
    """A folder with images, a frozen graph, its labels and a model folder."""
    root = tmp_path_factory.mktemp("labelled")
    outputs = ["--saved_model_dir", f"{root}/model", "--store", f"{root}/store"]
    steps = ["--how_many_training_steps=500", "--learning_rate=0.3"]
    assert train(root, draw(root / "img"), tiny_module, *outputs, *steps).code == 0
    return root


def label(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, list[str], str]:
    capsys.readouterr()
    code = label_image.main(list(argv))
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def classic(model: Path) -> list[str]:
    return [f"--graph={model}/graph.pb", f"--labels={model}/labels.txt"]


def test_the_classic_command_line(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = label(
        capsys, *classic(model), "--input_layer=Placeholder", "--output_layer=final_result", "--input_height=16",
        "--input_width=16", "--input_mean=0", "--input_std=255", f"--image={model}/img/red/05.png",
    )  # fmt: skip
    assert code == 0 and err == ""
    names, scores = zip(*(line.rsplit(" ", 1) for line in lines), strict=True)
    assert names[0] == "red" and set(names) == {"blue", "green", "red"}
    assert list(map(float, scores)) == sorted(map(float, scores), reverse=True)
    assert sum(map(float, scores)) == pytest.approx(1, abs=1e-5)


def test_size_and_layers_are_read_from_the_graph(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = f"--image={model}/img/green/03.png"
    layers = ["--input_layer", "import/Placeholder", "--output_layer", "import/final_result:0"]
    assert label(capsys, *classic(model), image)[1] == label(capsys, *classic(model), image, *layers)[1]
    code, _, err = label(capsys, *classic(model), image, "--input_height=299")
    assert code == 1 and "the graph takes 16 x 16" in err


def test_an_output_of_another_name_is_found(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = import_tensorflow().compat.v1.GraphDef.FromString((model / "graph.pb").read_bytes())
    (node,) = (n for n in graph.node if n.name == "final_result")
    node.name = "my_answer"
    (tmp_path / "graph.pb").write_bytes(graph.SerializeToString())
    flags = [f"--graph={tmp_path}/graph.pb", f"--labels={model}/labels.txt", f"--image={model}/img/green/03.png"]
    found = label(capsys, *flags)
    assert found[0] == 0 and len(found[1]) == 3
    assert found == label(capsys, *flags, "--output_layer=my_answer")


def test_scores_are_those_of_the_saved_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tf = import_tensorflow()
    files = sorted((model / "img").glob("*/0[0-2].png"))
    signature = tf.saved_model.load(str(model / "model")).signatures["serving_default"]
    labels = (model / "labels.txt").read_text().split()
    for file in files:
        pixels = resize(read(file), 16, 16)[None].astype(np.float32) / 255
        saved = dict(zip(labels, signature(image=tf.constant(pixels))["prediction"].numpy()[0], strict=True))
        lines = label(capsys, *classic(model), "--image", str(file))[1]
        for name, score in (line.rsplit(" ", 1) for line in lines):
            assert float(score) == pytest.approx(saved[name], abs=1e-5)


def test_many_images_give_what_each_gives_alone(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(f) for f in sorted((model / "img").glob("*/*.png"))][:40]
    code, lines, _ = label(capsys, *classic(model), "--top_k=1", "--image", *files)
    assert code == 0
    assert lines[::2] == [f"{file}:" for file in files]
    for k in (0, 20, 39):
        (alone,) = label(capsys, *classic(model), "--top_k=1", "--image", files[k])[1]
        name, score = lines[2 * k + 1].rsplit(" ", 1)
        assert name == alone.rsplit(" ", 1)[0]
        assert float(score) == pytest.approx(float(alone.rsplit(" ", 1)[1]), abs=1e-5)


def test_kinds_of_images_and_one_that_is_none(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gray = np.full((9, 9), 90, np.uint8)
    for name in ("a.JPG", "b.gif", "c.bmp", "d.PNG"):
        Image.fromarray(gray).save(tmp_path / name)
    Image.fromarray(np.stack([gray] * 4, axis=2)).save(tmp_path / "e.png")
    (tmp_path / "broken.png").write_text("no")
    files = [str(f) for f in sorted(tmp_path.iterdir())]
    code, lines, err = label(capsys, *classic(model), "--top_k", "1", "--image", *files)
    assert code == 1 and err.count("\n") == 1 and "broken.png" in err
    assert len(lines) == 2 * 5


def test_another_programs_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tf = import_tensorflow()
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, (1, None, None, 3), name="input")
        mean = tf.reduce_mean(images, axis=[1, 2])
        tf.nn.softmax(mean, name="InceptionV3/Predictions/Reshape_1")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (tmp_path / "labels.txt").write_text("red thing\ngreen thing\nblue thing\n")
    for name, colour in (("green.png", (0, 255, 0)), ("red.png", (255, 0, 0))):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    layers = ("--input_layer=input", "--output_layer=InceptionV3/Predictions/Reshape_1")
    for given in (layers, ()):
        code, lines, _ = label(
            capsys, *classic(tmp_path), *given, "--input_mean=127.5", "--input_std=127.5", "--image",
            str(tmp_path / "green.png"), str(tmp_path / "red.png"),
        )  # fmt: skip
        assert code == 0
        assert lines[1].startswith("green thing 0.78") and lines[5].startswith("red thing 0.78")  # e / (e + 2/e)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--graph=/nowhere.pb"], "graph='/nowhere.pb' cannot be read"),
        (["--labels=/nowhere.txt"], "labels='/nowhere.txt' cannot be read"),
        (["--output_layer=final_resul"], "did you mean 'final_result'?"),
        (["--input_layer=Placeholdr"], "did you mean 'Placeholder'?"),
        (["--input_std=0"], "--input_std=0.0: must not be 0"),
        (["--input_height=0"], "--input_height=0: must be a positive integer"),
        (["--top_k=0"], "--top_k=0: must be a positive integer"),
    ],
)
def test_wrong_flags_are_one_line(model: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = label(capsys, *classic(model), f"--image={model}/img/red/00.png", *flags)
    assert code == 1 and not lines
    assert said in err and err.count("\n") == 1


def test_labels_of_another_graph_and_a_broken_graph(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    image = f"--image={model}/img/red/00.png"
    code, _, err = label(capsys, *classic(model), image, f"--labels={tmp_path}/labels.txt")
    assert code == 1 and "has 2 lines, the graph gives 3" in err
    (tmp_path / "graph.pb").write_bytes(b"\xff\xfe not a graph")
    code, _, err = label(capsys, *classic(model), image, f"--graph={tmp_path}/graph.pb")
    assert code == 1 and "cannot be read" in err


def test_a_misspelt_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        label_image.main(["--image=x", "--input_hight=3"])
    assert left.value.code == 2
    assert "did you mean --input_height?" in capsys.readouterr().err
