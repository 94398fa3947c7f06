"""Sounds far longer than the training clips: said of, and in memory that does not grow with them."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_study import RATE, command, sound

from harness.errors import SettingsError
from harness.model import CARD, ModelCard, read_card
from harness.store import Store
from labeler.__main__ import app
from labeler.loading import Model, load_model
from labeler.predict import label_files
from labeler.scanning import windows_for
from labeler.scoring import by_signature
from trainer.export import export_fold

WEIGHTS = np.array([[3.0, -1.0], [-2.0, 4.0]])


class _Tensor:
    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def numpy(self) -> np.ndarray:
        return self.values


def hear(longest_s: float = 0.0, lengths: list[int] | None = None) -> Model:
    """A model whose features are the mean and the mean of squares of a waveform; it notes the lengths that it gets."""
    module = {"handle": "m", "digest": "", "takes": "waveform", "height": 0, "width": 0, "value_range": [-1.0, 1.0],
              "sample_rate": 8000, "features": 2}  # fmt: skip

    def signature(waveform: object) -> dict[str, object]:
        y = np.asarray(waveform, dtype=np.float64)
        if lengths is not None:
            lengths.append(y.shape[1])
        raised = np.exp(np.stack([y.mean(axis=1), (y**2).mean(axis=1)], axis=1) @ WEIGHTS)
        return {"prediction": _Tensor((raised / raised.sum(axis=1, keepdims=True)).astype(np.float32))}

    return Model(
        ModelCard(["a", "b"], takes="waveform", module=module, longest_s=longest_s), by_signature(signature, "waveform")
    )


def noise(seconds: float, rate: int = 8000) -> np.ndarray:
    rng = np.random.default_rng(3)
    y = rng.standard_normal(round(seconds * rate)) * 0.1
    return (y * np.linspace(0, 1, len(y)) + np.linspace(-0.5, 0.5, len(y))).astype(np.float32)


def expected(y: np.ndarray) -> np.ndarray:
    """Scores of the mean of the features."""
    raised = np.exp(np.array([y.mean(dtype=np.float64), (y.astype(np.float64) ** 2).mean()]) @ WEIGHTS)
    return np.asarray(raised / raised.sum())


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_long_waveform_goes_through_in_blocks_and_scores_as_the_mean_of_its_features(
    tmp_path: Path, suffix: str
) -> None:
    path, y = tmp_path / f"long.{suffix}", noise(150)
    soundfile.write(str(path), y, 8000)
    lengths: list[int] = []
    model = hear(lengths=lengths)
    scores = model.label(path)
    assert max(lengths) == 60 * 8000
    assert len(lengths) == 3
    tolerance = 5e-5 if suffix in {"wav", "flac"} else 2e-3
    assert scores[["a", "b"]].to_numpy() == pytest.approx(expected(y), abs=tolerance)
    assert model.label(y, sr=8000).to_numpy() == pytest.approx(scores.to_numpy(), abs=tolerance)
    (labelled,) = label_files(model, [path])
    assert labelled.scores is not None
    assert labelled.scores.tobytes() == scores[["a", "b"]].to_numpy().tobytes()


def test_as_long_as_the_longest_training_clip_a_sound_goes_through_whole(tmp_path: Path) -> None:
    lengths: list[int] = []
    hear(longest_s=100.0, lengths=lengths).label(noise(90), sr=8000)
    assert lengths == [90 * 8000]


def test_the_memory_for_long_sounds_does_not_grow(tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.wav" for k in range(3)]
    for path in paths:
        soundfile.write(str(path), np.zeros((600 * 8000, 2), np.float32), 8000, subtype="PCM_16")
    tracemalloc.start()
    assert all(item.scores is not None for item in label_files(hear(), paths))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6  # one of them whole has 38 MB as mono float32


def test_beyond_three_times_the_longest_training_clip_there_is_a_warning(
    studied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = studied / "run" / "model"
    longest = read_card(model).longest_s
    assert longest == pytest.approx(max(soundfile.info(str(p)).duration for p in studied.glob("sounds/*/*.wav")))
    bark = sound("hum", 1)
    looped, usual = tmp_path / "looped.wav", tmp_path / "usual.wav"
    soundfile.write(str(looped), np.resize(bark, round(3.5 * longest * RATE)), RATE)
    soundfile.write(str(usual), np.resize(bark, round(2.9 * longest * RATE)), RATE)
    said = command(app, "label", looped, usual, "--model", model, capsys=capsys)
    assert said.code == 0
    (line,) = said.err.splitlines()
    assert line.startswith(f"warning: {looped}: {3.5 * longest:.1f} s long, more than three times the longest training")
    assert "`soundfold scan` scores it window by window" in line
    assert said.out.count(".wav\n") == 2
    with pytest.warns(UserWarning, match="more than three times the longest training clip"):
        load_model(model).label(looped)


def test_beyond_that_an_image_model_scores_parts_as_long_as_its_training_clips(studied: Path, tmp_path: Path) -> None:
    model = load_model(studied / "run" / "model")
    y = np.resize(np.concatenate([sound("hum", 1), 0.1 * sound("hiss", 2)]), round(5.5 * model.card.longest_s * RATE))
    path, classes = tmp_path / "long.wav", model.card.classes
    soundfile.write(str(path), y, RATE, subtype="FLOAT")
    length = round((len(y) / RATE / 6 + 0.001) * RATE)
    parts = [y[start : start + length] for start in range(0, len(y), length)]
    assert len(parts) == 6
    assert length / RATE <= model.card.longest_s
    scores_of = [model.label(part, sr=RATE)[classes].to_numpy() for part in parts]
    logs = np.log(np.maximum(scores_of, np.finfo(np.float32).tiny))
    mean = np.exp(np.average(logs, axis=0, weights=[len(part) for part in parts]))
    with pytest.warns(UserWarning, match="the mean over 6 parts"):
        scores = model.label(path)[classes].to_numpy()
    assert scores == pytest.approx(mean / mean.sum(), abs=1e-6)
    with pytest.warns(UserWarning, match="the mean over 6 parts"):
        assert model.label(y, sr=RATE)[classes].to_numpy() == pytest.approx(scores, abs=1e-6)
    (labelled,) = label_files(model, [path])
    assert labelled.scores is not None
    assert labelled.scores.tobytes() == scores.tobytes()


@pytest.mark.parametrize("seconds", [0.4, 1.3])
def test_a_loop_of_a_sound_is_what_the_sound_is(studied: Path, seconds: float) -> None:
    model = load_model(studied / "run" / "model")
    for label in model.card.classes:
        y = sound(label, 1)
        assert model.label(y, sr=RATE).index[0] == label
        with pytest.warns(UserWarning, match="more than three times"):
            looped = model.label(np.resize(y, round(120 * seconds * RATE)), sr=RATE)
        assert looped.index[0] == label


@pytest.mark.long
def test_the_memory_for_drawing_long_sounds_does_not_grow(studied: Path, tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(str(path), np.zeros((600 * RATE, 2), np.float32), RATE, subtype="PCM_16")
    model = load_model(studied / "run" / "model")
    model.label(sound("hum", 1), sr=RATE)
    tracemalloc.start()
    assert all(item.scores is not None for item in label_files(model, [path]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600 * RATE * 4  # of it whole, as mono float32


def test_a_model_that_takes_the_sound_itself_knows_the_longest_clip(
    studied: Path, tiny_yamnet: str, tmp_path: Path
) -> None:
    named = {"encoding": "sound", "module": tiny_yamnet, "head": "lbfgs", "seed": "0"}
    run = studied / "run"
    card = export_fold(run, named, "1", tmp_path / "m", images_folder=run / "images", store=Store(studied / "store"))
    assert card.longest_s == read_card(run / "model").longest_s > 0


def test_a_model_of_an_older_version_loads_and_warns_of_nothing(studied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(studied / "run" / "model", folder)
    card = json.loads((folder / CARD).read_text())
    del card["longest_s"]
    (folder / CARD).write_text(json.dumps(card))
    assert read_card(folder).longest_s == 0
    soundfile.write(str(tmp_path / "long.wav"), np.resize(sound("hum", 1), 20 * RATE), RATE)
    (labelled,) = label_files(load_model(folder), [tmp_path / "long.wav"])
    assert (labelled.reason, labelled.warning) == ("", "")


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize(
    ("window", "hop", "seconds"), [(0.5, 0.5, 7.3), (0.5, 0.2, 7.3), (2.0, 0.7, 130.0), (9.0, 9.0, 7.3)]
)
def test_every_window_has_the_scores_of_a_clip(
    tmp_path: Path, suffix: str, window: float, hop: float, seconds: float
) -> None:
    y, path = noise(seconds), tmp_path / f"long.{suffix}"
    soundfile.write(path, y, 8000, subtype="PCM_24")
    y, _ = soundfile.read(path, dtype="float32")
    model = hear(longest_s=0.5)
    table = model.scan(path, window=window, hop=hop).scores
    starts = table["start_s"].to_numpy()
    np.testing.assert_allclose(starts, hop * np.arange(len(starts)), atol=1 / 8000)
    assert table["end_s"].iloc[-1] == min(seconds, max(table["end_s"]))
    assert seconds - table["end_s"].iloc[-1] < 0.1 * window
    for row in table.itertuples():
        own = y[round(row.start_s * 8000) : round(row.end_s * 8000)]
        np.testing.assert_allclose(np.array(row[-2:]), expected(np.pad(own, (0, max(0, 8000 - len(own))))), atol=1e-6)


def test_what_is_left_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    for seconds, ends in [(2.0, [1, 2]), (2.05, [1, 2]), (2.5, [1, 2, 2.5]), (0.02, [0.02])]:
        soundfile.write(path, noise(seconds), 8000)
        assert hear(longest_s=1.0).scan(path).scores["end_s"].tolist() == ends


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    peaks = []
    for seconds in (300, 1500):
        soundfile.write(tmp_path / "long.wav", noise(seconds), 8000)
        tracemalloc.start()
        hear(longest_s=5.0).scan(tmp_path / "long.wav")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_windows(tmp_path: Path) -> None:
    card = hear(longest_s=4.0).card
    for wrong, message in [
        ({"hop": 5.0}, "hop=5: .* 4 s"),
        ({"window": -1.0}, "window=-1"),
        ({"hop": float("nan")}, "hop=nan"),
    ]:
        with pytest.raises(SettingsError, match=message):
            windows_for(card, **wrong)
    with pytest.raises(SettingsError, match="window is missing"):
        windows_for(hear().card)
