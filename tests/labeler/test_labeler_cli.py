"""``python -m labeler label``: ranked lines, CSV, JSON lines; images of all kinds; what is broken is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from retrain_parts import draw, train
from small_study import CLASSES, RATE, Said, command, sound

from harness.audio import write_wav
from harness.tables import PREDICTIONS, read, score_columns
from labeler.__main__ import app
from labeler.loading import Model, load_model
from labeler.predict import label_files
from trainer.__main__ import app as trainer


def label(*args: object, capsys: pytest.CaptureFixture[str]) -> Said:
    """``python -m labeler label`` in this process."""
    return command(app, "label", *args, capsys=capsys)


@pytest.fixture(scope="module")
def model(studied: Path, tiny_module: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of one fold of the study, for gray images and for sounds."""
    return _exported(studied, "gray", tiny_module, tmp_path_factory)


@pytest.fixture(scope="module")
def hearing(studied: Path, tiny_yamnet: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of one fold of the study that takes waveforms."""
    return _exported(studied, "sound", tiny_yamnet, tmp_path_factory)


def _exported(studied: Path, encoding: str, module: str, factory: pytest.TempPathFactory) -> Path:
    out = factory.mktemp("models") / encoding
    options = ["--encoding", encoding, "--module", module, "--fold", "1", "--store", str(studied / "store")]
    with pytest.raises(SystemExit) as left:
        trainer(["export", str(studied / "run"), "--out", str(out), *options])
    assert left.value.code == 0
    return out


@pytest.fixture
def wavs(studied: Path) -> list[Path]:
    """Nine sounds of the fold that the model does not know."""
    return sorted((studied / "sounds").glob("*/1-*.wav"))


def gray_image(studied: Path) -> np.ndarray:
    """The pixels of one of the study's gray images."""
    path = next((studied / "run" / "images" / "gray" / "hum").glob("1-*.png"))
    return np.asarray(Image.open(path).convert("RGB"))


def by_class(lines: list[str]) -> dict[str, float]:
    """Scores of ranked lines."""
    return {line.split(" ", 1)[1]: float(line.split(" ", 1)[0]) for line in lines}


def test_ranked_lines(model: Path, wavs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    said = label(wavs[0], wavs[4], "--model", model, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert len(lines) == 8
    for k, wav in enumerate((wavs[0], wavs[4])):
        assert lines[4 * k] == str(wav)
        ranked = by_class(lines[4 * k + 1 : 4 * k + 4])
        assert set(ranked) == set(CLASSES)
        assert list(ranked.values()) == sorted(ranked.values(), reverse=True)
        assert sum(ranked.values()) == pytest.approx(1, abs=1e-4)
        assert next(iter(ranked)) == wav.parent.name


def test_top_k(model: Path, wavs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    whole = label(wavs[0], "--model", model, capsys=capsys).out.splitlines()
    assert label(wavs[0], "--model", model, "--top", 2, capsys=capsys).out.splitlines() == whole[:3]
    assert label(wavs[0], "--model", model, "--top", 99, capsys=capsys).out.splitlines() == whole


def test_csv_is_a_table_of_predictions(
    model: Path, wavs: list[Path], tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = label(wavs[0].parent.parent, "--model", model, "--format", "csv", capsys=capsys)
    (tmp_path / "printed.csv").write_text(said.out, encoding="utf-8")
    table = read(tmp_path / "printed.csv", PREDICTIONS)
    assert len(table) == 27
    assert score_columns(table) == [f"p:{name}" for name in sorted(CLASSES)]
    assert set(table["module"]) == {tiny_module}
    assert (table["predicted"] == table[score_columns(table)].idxmax(axis=1).str[2:]).all()
    np.testing.assert_allclose(table[score_columns(table)].sum(axis=1), 1, atol=1e-6)
    assert sorted(table["clip_id"]) == sorted(p.name for p in wavs[0].parent.parent.glob("*/*.wav"))
    label(wavs[0].parent.parent, "--model", model, "--format", "csv", "--out", tmp_path / "out.csv", capsys=capsys)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == said.out


def test_csv_of_a_model_that_retrain_made(
    studied: Path, tiny_module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = draw(tmp_path / "images", per_class=6)
    assert train(tmp_path / "run", images, tiny_module, "--saved_model_dir", str(tmp_path / "model")).code == 0
    said = label(images, "--model", tmp_path / "model", "--format", "csv", capsys=capsys)
    assert said.code == 0, said.err
    (tmp_path / "printed.csv").write_text(said.out, encoding="utf-8")
    table = read(tmp_path / "printed.csv", PREDICTIONS)
    assert len(table) == 18
    assert (table["predicted"] == [Path(c).parent.name for c in table["clip_id"]]).mean() > 0.6
    assert set(table["encoding"]) == {"image"}
    wav = tmp_path / "a.wav"
    write_wav(wav, sound("hum", 1), RATE)
    said = label(wav, "--model", tmp_path / "model", capsys=capsys)  # nobody knows how its images were drawn
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert "does not say how to draw a sound" in said.err


def test_json_lines(model: Path, wavs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    said = label(*wavs[:3], "--model", model, "--format", "jsonl", "--top", 2, capsys=capsys)
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert [row["path"] for row in rows] == [str(w) for w in wavs[:3]]
    for row in rows:
        assert row["clip_id"] == Path(row["path"]).name
        assert len(row["scores"]) == 2
        assert row["predicted"] == max(row["scores"], key=row["scores"].get) == next(iter(row["scores"]))


def test_images_of_every_kind(model: Path, studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pixels = gray_image(studied)
    rgb, gray = Image.fromarray(pixels), Image.fromarray(pixels[..., 0])
    opaque = Image.fromarray(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))
    kinds = {"rgb.png": rgb, "gray.png": gray, "rgba.png": opaque, "UPPER.PNG": rgb, "b.bmp": rgb, "G.GIF": gray,
             "p.gif": gray, "16bit.png": Image.fromarray(gray_16(pixels))}  # fmt: skip
    for name, kind in kinds.items():
        kind.save(tmp_path / name)
    rgb.save(tmp_path / "lossy.JPG", quality=98)
    said = label(tmp_path, "--model", model, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    scores = {Path(lines[k]).name: by_class(lines[k + 1 : k + 4]) for k in range(0, len(lines), 4)}
    assert set(scores) == {*kinds, "lossy.JPG"}
    for name, got in scores.items():
        assert got == pytest.approx(scores["rgb.png"], abs=0.03 if name == "lossy.JPG" else 1e-9), name


def gray_16(pixels: np.ndarray) -> np.ndarray:
    """The first channel as 16-bit gray."""
    return pixels[..., 0].astype(np.uint16) * 257


def test_a_sound_and_its_image_have_the_same_scores(
    model: Path, studied: Path, wavs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    images = [studied / "run" / "images" / "gray" / w.parent.name / f"{w.name}.png" for w in wavs]
    said = label(*wavs, *images, "--model", model, "--format", "jsonl", capsys=capsys)
    assert said.code == 0, said.err
    rows = [json.loads(line)["scores"] for line in said.out.splitlines()]
    assert rows[: len(wavs)] == rows[len(wavs) :]


def test_a_batch_is_the_same_as_one_at_a_time(model: Path, hearing: Path, wavs: list[Path], tmp_path: Path) -> None:
    for k, seconds in enumerate((0.1, 1.2, 2.0)):
        write_wav(tmp_path / f"{k}.wav", sound("chirp", k, seconds=seconds), RATE)
    files = [*wavs, *sorted(tmp_path.glob("*.wav"))] * 4  # more than a batch
    for folder in (model, hearing):
        loaded = load_model(folder)
        together = [one.scores for one in label_files(loaded, files)]
        for path, scores in list(zip(files, together, strict=True))[:12]:
            (alone,) = label_files(loaded, [path])
            assert alone.scores is not None
            assert scores is not None
            np.testing.assert_allclose(alone.scores, scores, rtol=0, atol=1e-4)  # of toys, whose bands are rounding


def test_what_is_broken_is_named_and_the_rest_is_labelled(
    model: Path, wavs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "empty.wav").touch()
    shutil.copy(wavs[0], tmp_path / "good.wav")
    (tmp_path / "thesis.txt").write_text("neither")
    out = tmp_path / "labels.jsonl"
    for options, whole in (([], ""), (["--out", out, "--format", "jsonl"], "out")):
        said = label(tmp_path, tmp_path / "thesis.txt", "--model", model, *options, capsys=capsys)
        assert said.code == 1
        named, last = said.err.splitlines()[:-1], said.err.splitlines()[-1]
        assert [line.split(": ")[1] for line in named] == [
            str(tmp_path / n) for n in ("bad.png", "bad.wav", "empty.wav", "thesis.txt")
        ]
        assert last == "warning: 4 of 5 files could not be labelled; they are named above"
        lines = out.read_text().splitlines() if whole else said.out.splitlines()
        assert str(tmp_path / "good.wav") in lines[0]
        assert len(lines) == (1 if whole else 4)


def test_an_image_is_no_sound(
    hearing: Path, studied: Path, wavs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = next((studied / "run" / "images" / "gray" / "hum").glob("*.png"))
    said = label(path, "--model", hearing, capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert said.err == f"error: {path}: a picture, but this model takes sounds\n"
    assert label(wavs[0], "--model", hearing, capsys=capsys).code == 0


def test_a_model_that_is_none(
    model: Path, wavs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copytree(model, tmp_path / "broken")
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"no graph")
    shutil.copytree(model, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "variables")
    for name, says in (
        ("missing", "not a model folder"),
        ("empty", "not a model folder"),
        ("broken/saved_model.pb", "has changed since the model was written"),
        ("half/variables/variables.data-00000-of-00001", "is missing since the model was written"),
    ):
        said = label(wavs[0], "--model", tmp_path / name.partition("/")[0], capsys=capsys)
        assert (said.code, said.out) == (1, "")
        assert len(said.err.splitlines()) == 1, said.err
        assert said.err.startswith(f"error: {tmp_path / name}: {says}")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--format", "jsnl"], "--format 'jsnl' is not known; did you mean 'jsonl'"),
        (["--top", "0"], "--top 0: expected 1 or more"),
        (["nothing.wav"], "nothing.wav: no such file or folder"),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_no_file(
    wrong: list[str], says: str, model: Path, wavs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = label(wavs[0], *wrong, "--model", model, "--out", tmp_path / "out.txt", capsys=capsys)
    assert (said.code, said.out) == (1, "")
    assert len(said.err.splitlines()) == 1
    assert says in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_moved_model_needs_nothing_else(
    model: Path, wavs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = label(wavs[0], "--model", model, capsys=capsys).out
    shutil.copytree(model, tmp_path / "a b" / "moved")
    monkeypatch.setenv("SOUNDFOLD_STORE", str(tmp_path / "other store"))
    monkeypatch.chdir(tmp_path)
    assert label(wavs[0], "--model", "a b/moved", capsys=capsys).out == before
    assert not (tmp_path / "other store").exists()


def test_memory_stays_flat_over_a_thousand_files(model: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    rng = np.random.default_rng(0)
    data = []
    for k in range(4):
        Image.fromarray(rng.integers(0, 256, (256, 256, 3), np.uint8)).save(tmp_path / f"{k}.bmp")
        data.append(tmp_path / f"{k}.bmp")
    loaded: Model = load_model(model)
    list(label_files(loaded, data * 32))  # warm: kernels, thread pools, buffers
    tracemalloc.start()
    try:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        count = sum(1 for one in label_files(loaded, data * 256) if one.scores is not None)
        peak = tracemalloc.get_traced_memory()[1]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    finally:
        tracemalloc.stop()
    assert count == 1024
    assert peak < 30e6  # of 1024 images with 0.2 MB each
    assert grown < 40_000 * (1 if sys.platform != "darwin" else 1024)  # kB, and bytes there


def test_as_a_program(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    words = [sys.executable, "-m", "labeler", "label", str(tmp_path / "bad.wav"), "--model", str(model)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.parametrize("name", ["no_ending", "a.webp", "a.tif", "a.unusual"])
def test_an_image_is_read_as_one_whatever_its_ending(
    model: Path, studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    opened = Image.fromarray(gray_image(studied))
    opened.save(tmp_path / "a.png")
    kind, options = {"a.webp": ("WEBP", {"lossless": True}), "a.tif": ("TIFF", {})}.get(name, ("PNG", {}))
    opened.save(tmp_path / name, kind, **options)
    whole = label(tmp_path / "a.png", "--model", model, capsys=capsys).out.splitlines()[1:]
    said = label(tmp_path / name, "--model", model, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[1:] == whole
    if name != "a.unusual":
        (tmp_path / "folder").mkdir()
        (tmp_path / name).rename(tmp_path / "folder" / name)
        assert label(tmp_path / "folder", "--model", model, capsys=capsys).out.splitlines()[1:] == whole


def test_what_is_neither_is_refused_in_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    said = label(tmp_path / "a.png", "--model", model, capsys=capsys)
    assert said.code == 1
    assert f"{tmp_path / 'a.png'}: not an image that can be read (of no kind that is known)" in said.err
    assert "BytesIO" not in said.err
