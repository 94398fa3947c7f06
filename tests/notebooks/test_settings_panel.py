"""The panel of sliders, without a browser: what its widgets do is what the encoding draws."""

from __future__ import annotations

import io
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from converter.drawing import draw
from converter.encodings.gray import Gray
from converter.encodings.logmel import LogMel
from converter.encodings.waveform import Waveform
from converter.registry import ENCODINGS
from converter.settings_file import read_settings
from converter.settings_panel import SettingsPanel
from harness import image
from harness.audio import write_wav
from harness.errors import SettingsError, SoundfoldError

RATE = 44100


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of a chirp in noise."""
    t = np.arange(5 * RATE) / RATE
    y = 0.5 * np.sin(2 * np.pi * (200 + 800 * t) * t) + 0.1 * np.random.default_rng(0).standard_normal(len(t))
    path = tmp_path_factory.mktemp("sound") / "chirp.wav"
    write_wav(path, y.clip(-1, 1).astype(np.float32), RATE)
    return path


def shown(panel: SettingsPanel) -> np.ndarray:
    return image.decode(panel._image.value)


def test_image_waveform_and_player_follow_the_sliders(clip: Path) -> None:
    panel = SettingsPanel(clip)
    assert np.array_equal(shown(panel), draw(clip, LogMel(fmax=11025)))
    panel._sliders["n_mels"].value = 40
    panel._sliders["size"].value = 96
    panel._choice.value = "gray"
    assert panel.encoding == Gray(n_mels=40, size=(96, 96), fmax=11025)
    assert np.array_equal(shown(panel), draw(clip, panel.encoding))
    waveform = panel._waveform.value
    panel._sliders["sample_rate"].value = 8000
    assert panel._sliders["fmax"].value == 4000, "half the rate, at most"
    assert panel.encoding.sample_rate == 8000
    assert np.array_equal(shown(panel), draw(clip, panel.encoding))
    with soundfile.SoundFile(io.BytesIO(panel._player.value)) as heard:
        assert (heard.samplerate, len(heard)) == (8000, 40000)
    assert panel._waveform.value != waveform


def test_an_image_takes_less_than_200_ms(clip: Path) -> None:
    """Processor time, so that others on this machine do not count; the median of several changes, each drawn anew."""
    panel = SettingsPanel(clip, LogMel(sample_rate=22050))
    took = []
    for name in ("logmel", "linear"):
        panel._choice.value = name
        for value in range(256, 2049, 256):
            started = time.process_time()
            panel._sliders["hop_length"].value = value
            took.append(time.process_time() - started)
            assert panel.encoding == panel._drawn
    assert statistics.median(took) < 0.2, took


def test_what_is_wrong_is_said_and_the_image_remains(clip: Path) -> None:
    panel = SettingsPanel(clip, LogMel(fmax=3000))
    before = panel._image.value
    panel._sliders["fmin"].value = 4000
    assert "must be below fmax=3000" in panel._status.value
    assert "color" in panel._status.value
    assert panel._image.value == before
    with pytest.raises(SettingsError, match="fmin"):
        _ = panel.encoding
    panel._sliders["fmin"].value = 100
    assert "pixels in" in panel._status.value


def test_sliders_that_an_encoding_lacks_are_disabled_and_other_settings_remain(clip: Path) -> None:
    panel = SettingsPanel(clip, LogMel(top_db=33, colormap="viridis"))
    assert (panel.encoding.top_db, panel.encoding.colormap) == (33, "viridis")
    panel._choice.value = "waveform"
    assert panel._sliders["n_mels"].disabled
    assert not panel._sliders["size"].disabled
    assert panel.encoding == Waveform()
    panel._choice.value = "logmel"
    assert not panel._sliders["n_mels"].disabled
    assert (panel.encoding.top_db, panel.encoding.colormap) == (33, "viridis")


def test_what_was_set_comes_back_after_an_encoding_that_refuses_it(clip: Path) -> None:
    panel = SettingsPanel(clip, LogMel(size=(64, 64), n_fft=896, hop_length=224))
    before = panel.settings
    panel._choice.value = "cqt"  # has no bin at 0 Hz
    assert "settings of its own, as it refuses those before (fmin=0.0" in panel._status.value
    assert panel.settings["size"] == (64, 64)
    panel._choice.value = "gray"
    assert panel.settings == before
    panel._choice.value = "cqt"
    panel._sliders["hop_length"].value = 256
    panel._choice.value = "gray"
    assert panel.settings["hop_length"] == 256, "what a person has set since counts"


def test_every_registered_encoding_can_be_chosen(clip: Path) -> None:
    panel = SettingsPanel(clip, LogMel(size=(64, 64)))
    assert set(panel._choice.options) == set(ENCODINGS)
    for name in ENCODINGS:
        panel._choice.value = name
        assert "pixels in" in panel._status.value, name
        assert panel._drawn is not None
        assert panel._drawn.name == name
        assert np.array_equal(shown(panel), draw(clip, panel.encoding)), name


def test_settings_go_to_a_file_and_come_back(clip: Path, tmp_path: Path) -> None:
    file = tmp_path / "spectrum.csv"
    panel = SettingsPanel(clip, LogMel(n_mels=64, hop_length=300, power=1.5), file=file)
    panel._save.click()
    assert read_settings(file) == panel.settings
    file.write_text("RESOLUTION,SAMPLE_RATE,N_FFT,N_MELS,HOP_LENGTH,FMIN,FMAX,POWER\n600,96000,1000,300,7,6000,0,2\n")
    panel._load.click()
    expected = LogMel(
        size=(600, 600), sample_rate=96000, n_fft=1000, n_mels=300, hop_length=7, fmin=6000, fmax=48000, power=2.0
    )
    assert panel.encoding == expected
    assert "mel bands are empty" in panel._status.value, "a warning is said in the panel"
    with pytest.warns(UserWarning, match="mel bands are empty"):
        assert np.array_equal(shown(panel), draw(clip, expected))


def test_wrong_files_are_named_in_the_panel(clip: Path, tmp_path: Path) -> None:
    own = tmp_path / "thesis.csv"
    own.write_text("my own text\n")
    panel = SettingsPanel(clip, file=own)
    panel._save.click()
    assert "thesis.csv" in panel._status.value
    assert "not replaced" in panel._status.value
    assert own.read_text() == "my own text\n"
    panel._file.value = str(tmp_path / "none.csv")
    panel._load.click()
    assert "No such file" in panel._status.value
    panel._file.value = str(own / "x.csv")
    panel._save.click()
    assert "color" in panel._status.value


def test_samples_work_as_well_as_a_file(clip: Path) -> None:
    y, sr = soundfile.read(clip, dtype="float32")
    assert np.array_equal(shown(SettingsPanel(y, sr=sr)), shown(SettingsPanel(clip)))
    with pytest.raises(SettingsError, match="sr is missing"):
        SettingsPanel(y)
    with pytest.raises(SettingsError, match="expected an encoding"):
        SettingsPanel(clip, "gray")  # type: ignore[arg-type]
    with pytest.raises(SoundfoldError, match="no such file"):
        SettingsPanel(clip.with_name("none.wav"))


def test_a_page_without_widgets_has_the_image(clip: Path) -> None:
    bundle = SettingsPanel(clip)._repr_mimebundle_()
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(bundle)
    assert bundle["text/plain"].startswith("SettingsPanel(LogMel(")
