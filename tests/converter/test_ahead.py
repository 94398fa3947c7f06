"""Images drawn ahead are those that the converter draws, as far as the time goes; what fails is left for later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from converter import ahead
from converter.ahead import _portions, drawn_ahead
from converter.encodings.gray import Gray
from converter.encodings.waveform import Waveform
from converter.pipeline import convert_clips
from converter.spec import Encoding
from corpora.sounds import digest_clips, fingerprinting, fingerprints
from harness import audio
from harness.audio import write_wav
from harness.excerpts import Part, excerpting, make_excerpts
from harness.store import Store
from harness.tables import CLIPS, frame

ENCODINGS: dict[str, Encoding] = {
    "gray": Gray(size=(8, 8)),
    "waveform": Waveform(size=(8, 8)),
    "tiled": Gray(sample_rate=8000, n_fft=256, hop_length=100, n_mels=16, size=(16, 16), tiles=True),
    "loud": Gray(size=(8, 8), ref="corpus"),
}


@pytest.fixture
def clips(tmp_path: Path) -> pd.DataFrame:
    """Six sounds, a part of one of them, one that is not a sound, and one that is not there."""
    rng = np.random.default_rng(0)
    for n in range(6):
        write_wav(tmp_path / f"{n}.wav", rng.uniform(-0.5, 0.5, 8000), 8000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    names = [*(f"{n}.wav" for n in range(6)), "bad.wav", "gone.wav"]
    rows = [{"clip_id": name, "path": str(tmp_path / name), "label": "a", "fold": "1"} for name in names]
    return frame([*rows, {**rows[0], "clip_id": "part", "start_s": 0.2, "end_s": 0.8}], CLIPS)


def parts(clips: pd.DataFrame) -> list[Part]:
    return [Part(*row) for row in zip(clips["path"], clips["start_s"], clips["end_s"], strict=True)]


def work(store: Store) -> list[Callable[[pd.DataFrame], list[Callable[[], object]]]]:
    """What is made of each sound besides images; of nothing nothing."""
    return [
        lambda table: fingerprinting(table, store=store),
        lambda _: [],
        lambda table: excerpting(parts(table), store=store),
    ]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is done in this process, as worker processes would do it."""
    monkeypatch.setattr(ahead, "start_workers", lambda *_: None)
    monkeypatch.setattr(ahead, "in_parallel", lambda work, items, **_: map(work, items))


@pytest.mark.usefixtures("at_once")
def test_the_same_entries_as_the_converter_puts(clips: pd.DataFrame, tmp_path: Path) -> None:
    early, late = Store(tmp_path / "early"), Store(tmp_path / "late")
    with drawn_ahead(clips, ENCODINGS, store=early, jobs=2, also=work(early)):
        pass
    plain = {name: ENCODINGS[name] for name in ("gray", "waveform")}
    convert_clips(clips, plain, tmp_path / "images", store=late)
    fingerprints(digest_clips(clips, store=late))
    assert make_excerpts(dict(zip(clips["clip_id"], parts(clips), strict=True)), store=late)[1] == [
        "bad.wav",
        "gone.wav",
    ]
    for kind in ("images", "fingerprints", "excerpts"):
        drawn = {path.name: path.read_bytes() for path in (early.root / kind).rglob("*") if path.is_file()}
        assert drawn
        assert drawn == {path.name: path.read_bytes() for path in (late.root / kind).rglob("*") if path.is_file()}


@pytest.mark.usefixtures("at_once")
def test_each_sound_is_decoded_once(clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, decoded = Store(tmp_path / "store"), []

    def counted(sound: object, *part: float) -> object:
        decoded.append((str(sound), *map(str, part)))
        return decode(sound, *part)  # type: ignore[arg-type]

    decode: Callable[..., object] = audio.decode
    monkeypatch.setattr(audio, "decode", counted)
    with drawn_ahead(clips, ENCODINGS, store=store, jobs=2, also=work(store)):
        pass
    good = [each for each in decoded if "bad.wav" not in each[0]]
    assert len(good) == len(set(good)) == 7


@pytest.mark.usefixtures("at_once")
def test_what_fails_ahead_is_not_raised(clips: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: pd.DataFrame) -> list[Callable[[], object]]:
        raise OSError("no space left")

    with drawn_ahead(clips, ENCODINGS, store=Store(tmp_path / "store"), jobs=2, also=[broken]):
        pass
    with pytest.raises(KeyError), drawn_ahead(clips, ENCODINGS, store=Store(tmp_path / "store"), jobs=2):
        raise KeyError  # is what the block raises


def test_one_process_draws_nothing_ahead(clips: pd.DataFrame, tmp_path: Path) -> None:
    with drawn_ahead(clips, ENCODINGS, store=Store(tmp_path / "store"), jobs=1):
        pass
    assert not (tmp_path / "store").exists()


def test_a_sound_that_is_given_again_is_another_array_of_the_same_bytes(clips: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "0.wav"
    digest = audio.digest(path)
    with audio.reading_once():
        first, _ = audio.read(path, digest=digest)
        path.unlink()
        first[:] = 0
        again, _ = audio.read(path, digest=digest)
        assert again.any()
        with pytest.raises(audio.AudioError, match="no such file"):
            audio.read(path, digest=digest, end_s=0.5)
    with pytest.raises(audio.AudioError, match="no such file"):
        audio.read(path, digest=digest)


@pytest.mark.parametrize("n", [0, 1, 7, 400])
def test_portions_are_all_of_it_in_order_and_end_small(n: int) -> None:
    portions = _portions(list(range(n)), 2)  # type: ignore[arg-type]
    assert [number for portion in portions for number in portion] == list(range(n))
    sizes = [len(portion) for portion in portions]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes, default=0) <= 16
    assert sizes[-1:] in ([], [1])
