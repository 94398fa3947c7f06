"""A clip brought to rate and length, and its samples drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from converter.drawing import draw, draw_pngs
from converter.encodings.gray import Gray
from converter.encodings.waveform import Waveform
from converter.sound import as_sound, fit_length
from harness import audio, image
from harness.errors import AudioError, SettingsError

SR = 22050
Y = np.random.default_rng(0).normal(0, 0.1, SR // 2).astype(np.float32)


@pytest.mark.parametrize(
    ("pad", "padded", "cropped"),
    [
        ("end", [1, 2, 3, 0, 0], [1, 2]),
        ("start", [0, 0, 1, 2, 3], [3, 4]),
        ("centre", [0, 1, 2, 3, 0], [2, 3]),
        ("repeat", [1, 2, 3, 1, 2], [1, 2]),
    ],
)
def test_padding_and_cropping(pad: str, padded: list[int], cropped: list[int]) -> None:
    assert fit_length(np.array([1, 2, 3]), 5, pad=pad).tolist() == padded
    assert fit_length(np.array([1, 2, 3, 4]), 2, pad=pad).tolist() == cropped


def test_encodings_of_one_rate_and_length_share_a_sound() -> None:
    assert Gray(n_mels=3).sound_key() == Waveform(pad="start").sound_key(), "nothing is padded"
    keys = {Gray(**each).sound_key() for each in ({"duration_s": 1}, {"duration_s": 1, "pad": "start"}, {})}
    assert len(keys | {Gray(sample_rate=16000).sound_key()}) == 4
    sound = as_sound(Y, sr=SR, settings=Gray())
    assert as_sound(sound, sr=1, settings=Waveform()) is sound


def test_something_is_computed_once() -> None:
    sound, calls = as_sound(Y, sr=SR, settings=Gray()), []
    assert [sound.once("a", lambda: calls.append(1) or 3) for _ in range(2)] == [3, 3]
    assert calls == [1]


def test_waveform_envelope() -> None:
    y = np.concatenate([np.zeros(1000), np.full(1000, 0.2), np.full(1000, -0.4)]).astype(np.float32)
    drawn = Waveform(size=(21, 30)).draw(y, sr=SR)[..., 0] == 255
    assert np.flatnonzero(drawn[:, 5]).tolist() == [10]
    assert np.flatnonzero(drawn[:, 15]).tolist() == [5]
    assert np.flatnonzero(drawn[:, 25]).tolist() == [20]
    assert np.flatnonzero(drawn[:, 20]).tolist() == list(range(5, 21))  # the step is drawn through
    red = Waveform(foreground="red", background="#0000ff").draw(y, sr=SR)
    assert {tuple(c) for c in red.reshape(-1, 3).tolist()} == {(255, 0, 0), (0, 0, 255)}


def test_draw_takes_a_path_a_part_of_it_or_samples(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "a.wav", Y, SR)
    y, _ = audio.read(tmp_path / "a.wav")
    gray = Gray(size=(20, 30))
    whole, part = draw(tmp_path / "a.wav", gray), draw(str(tmp_path / "a.wav"), gray, start_s=0.1, end_s=0.3)
    assert np.array_equal(whole, draw(y, gray, sr=SR))
    assert np.array_equal(part, draw(y[round(0.1 * SR) : round(0.3 * SR)], gray, sr=SR))
    assert not np.array_equal(part, whole)
    with pytest.raises(SettingsError, match=r"^sr is missing: .*draw\(y, encoding, sr=22050\)"):
        draw(y, gray)
    with pytest.raises(SettingsError, match=r"^encoding='gray': expected an encoding with its settings"):
        draw(y, "gray", sr=SR)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match=r"none\.wav: no such file"):
        draw(tmp_path / "none.wav", gray)


def test_pngs_hold_what_is_drawn(tmp_path: Path) -> None:
    audio.write_wav(tmp_path / "a.wav", Y, SR)
    encodings = [Gray(size=(20, 30)), Waveform(size=(9, 9)), Gray(size=(20, 30), sample_rate=8000)]
    pngs = draw_pngs(tmp_path / "a.wav", encodings, start_s=math.nan, end_s=math.nan)
    for encoding, png in zip(encodings, pngs, strict=True):
        assert np.array_equal(image.decode(png), draw(tmp_path / "a.wav", encoding))


def test_a_sound_that_changed_since_its_digest_was_found_is_not_drawn(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    audio.write_wav(path, np.linspace(-0.5, 0.5, 4000), 8000)
    part = {"start_s": 0.1, "end_s": math.nan}
    digest = audio.digest(path, **part)
    assert len(list(draw_pngs(path, [Gray()], **part, digest=digest))) == 1
    audio.write_wav(path, np.linspace(0.5, -0.5, 4000), 8000)
    with pytest.raises(AudioError, match="changed while it was in use"):
        list(draw_pngs(path, [Gray()], **part, digest=digest))
