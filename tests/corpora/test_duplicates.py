"""The same sound twice: what is found of real recordings under other names, and what is not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from corpora.duplicates import duplicate_notes, find_duplicates
from corpora.loading import load
from harness.audio import read, resample, write_wav
from harness.duplicates import write_duplicates
from harness.store import Store
from harness.tables import CLIPS, DUPLICATES, frame
from harness.tables import read as read_table

RECORDINGS = ("009 - Rooster/1-26806-A.ogg", "002 - Rain/1-17367-A.ogg", "007 - Helicopter/1-172649-A.ogg")
OTHERS = ("001 - Dog bark", "003 - Sea waves", "004 - Baby cry", "005 - Clock tick", "010 - Fire crackling")


def coded(y: np.ndarray, sr: int, **how: str) -> tuple[np.ndarray, int]:
    """Samples after an encoder and its decoder."""
    file = io.BytesIO()
    soundfile.write(file, y, sr, **how)
    file.seek(0)
    samples, sr = soundfile.read(file, dtype="float32")
    return samples, sr


def active(y: np.ndarray) -> np.ndarray:
    """A sound without the silence around it."""
    loud = np.flatnonzero(np.abs(y) > 1e-2 * np.abs(y).max())
    return y[loud[0] : loud[-1] + 1]


def part(y: np.ndarray, sr: int, start_s: float, length_s: float) -> np.ndarray:
    """A part of what is to be heard; half of it where it is not as long."""
    y = active(y)
    length = min(int(length_s * sr), int(0.6 * len(y)))
    start = min(int(start_s * sr), len(y) - length)
    return y[start : start + length]


Change = Callable[[np.ndarray, int], tuple[np.ndarray, int]]
CHANGES: dict[str, Change] = {
    "20 dB softer": lambda y, sr: (0.1 * y, sr),
    "louder and clipped": lambda y, sr: (np.clip(1.5 * y / np.abs(y).max(), -1, 1), sr),
    "inverted": lambda y, sr: (-y, sr),
    "8 bits": lambda y, sr: coded(y / np.abs(y).max(), sr, format="WAV", subtype="PCM_U8"),
    "24 bits, 3 dB softer": lambda y, sr: coded(0.7 * y, sr, format="WAV", subtype="PCM_24"),
    "stereo": lambda y, sr: (np.stack([0.8 * y, 0.3 * y], axis=1), sr),
    "22.05 kHz": lambda y, sr: (resample(y, sr, 22050), 22050),
    "ogg": lambda y, sr: coded(y, sr, format="OGG", subtype="VORBIS"),
    "mp3": lambda y, sr: coded(y, sr, format="MP3"),
    "begins later": lambda y, sr: (active(y)[int(0.3 * len(active(y))) :], sr),
    "2 s of it": lambda y, sr: (part(y, sr, 0.4, 2.0), sr),
    "1 s of it, softer, 22.05 kHz, ogg": lambda y, sr: coded(
        0.3 * resample(part(y, sr, 0.2, 1.0), sr, 22050), 22050, format="OGG", subtype="VORBIS"
    ),
}


def table(paths: list[Path], *, folds: list[str] | None = None) -> pd.DataFrame:
    """A clips table of files, each in a fold of its own where none are given."""
    rows = [
        {"clip_id": path.name, "path": str(path), "label": "x", "fold": fold, "group": path.stem}
        for path, fold in zip(paths, folds or [str(k) for k in range(len(paths))], strict=True)
    ]
    return frame(rows, CLIPS)


def found(clips: pd.DataFrame, tmp_path: Path, **options: bool) -> list[tuple[str, str, str]]:
    """Pairs by name and kind."""
    pairs = find_duplicates(clips, store=Store(tmp_path / "store"), **options)
    return [tuple(row) for row in pairs[["clip_a", "clip_b", "kind"]].to_numpy().tolist()]


def noise(seed: int, seconds: float, sr: int = 16000) -> np.ndarray:
    """White noise at -20 dB."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * sr))).astype(np.float32)


@pytest.mark.corpus
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_nothing_else(esc10: Path, tmp_path: Path, change: str) -> None:
    originals = [esc10 / name for name in RECORDINGS]
    others = [sorted((esc10 / name).glob("*.ogg"))[0] for name in OTHERS]
    copies = []
    for path in originals:
        copies.append(tmp_path / f"copy of {path.stem}.wav")
        soundfile.write(copies[-1], *CHANGES[change](*read(path)), subtype="FLOAT")
    pairs = found(table([*originals, *others, *copies]), tmp_path)
    assert sorted(pairs) == sorted((path.name, copy.name, "near") for path, copy in zip(originals, copies, strict=True))


@pytest.mark.corpus
def test_offset_and_similarity(esc10: Path, tmp_path: Path) -> None:
    original = esc10 / RECORDINGS[1]
    y, sr = read(original)
    write_wav(tmp_path / "cut.wav", y[int(1.5 * sr) : int(4.0 * sr)], sr)
    store = Store(tmp_path / "store")
    forward = find_duplicates(table([original, tmp_path / "cut.wav"]), store=store).iloc[0]
    assert forward["offset_s"] == pytest.approx(-1.5, abs=1e-3)
    assert 0.9 < forward["similarity"] <= 1
    back = find_duplicates(table([tmp_path / "cut.wav", original]), store=store).iloc[0]
    assert back["offset_s"] == pytest.approx(1.5, abs=1e-3)


@pytest.mark.corpus
def test_esc10_has_one_sound_in_two_folds(esc10: Path, tmp_path: Path) -> None:
    """Of 400 recordings three pairs are the same, each cut from two uploads of one recording; nothing else is alike."""
    pairs = find_duplicates(load("esc50", esc10), store=Store(tmp_path / "store"), jobs=-1)
    assert pairs[["clip_a", "clip_b"]].to_numpy().tolist() == [
        ["2-28314-A.ogg", "2-30322-A.ogg"],
        ["2-28314-B.ogg", "2-30322-B.ogg"],
        ["3-151080-A.ogg", "5-151085-A.ogg"],
    ]
    assert duplicate_notes(pairs) == [
        "1 pair of clips in different folds holds the same sound (1 near), so that figures may be too good: "
        "'3-151080-A.ogg' (fold 3) and '5-151085-A.ogg' (fold 5); duplicates.csv lists it"
    ]


def test_the_demo_has_none_across_folds(demo_root: Path, tmp_path: Path) -> None:
    pairs = find_duplicates(load("demo", demo_root), store=Store(tmp_path / "store"))
    assert (pairs["group_a"] == pairs["group_b"]).all()
    assert duplicate_notes(pairs) == []


def test_exact_copies_by_bytes_and_by_samples(tmp_path: Path) -> None:
    y = noise(0, 1.0)
    write_wav(tmp_path / "a.wav", y, 16000)
    (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    samples, _ = read(tmp_path / "a.wav")
    soundfile.write(tmp_path / "c.flac", samples, 16000)
    soundfile.write(tmp_path / "d.wav", np.stack([samples, samples], axis=1), 16000, subtype="PCM_24")
    clips = table([tmp_path / name for name in ("a.wav", "b.wav", "c.flac", "d.wav")])
    everything = found(clips, tmp_path)
    assert len(everything) == 6
    assert {kind for *_, kind in everything} == {"exact"}
    assert found(clips, tmp_path, near=False) == [("a.wav", "b.wav", "exact")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (noise(1, 3.0), noise(2, 3.0)),  # stationary noise
        (noise(1, 0.05), 0.5 * noise(1, 0.05)),  # too short to be sure
        (np.zeros(16000), np.zeros(24000)),  # silence
        (np.full(16000, 0.1), np.full(16000, 0.2)),  # a constant
        (np.eye(1, 16000, 3000)[0], np.eye(1, 16000, 9000)[0]),  # a click each
        (np.concatenate([noise(1, 1.0), np.zeros(16000)]), np.concatenate([np.zeros(16000), noise(2, 1.0)])),
    ],
    ids=["noise", "short", "silence", "constant", "clicks", "padded"],
)
def test_different_or_empty_sounds_are_no_pair(tmp_path: Path, one: np.ndarray, other: np.ndarray) -> None:
    write_wav(tmp_path / "one.wav", one, 16000)
    write_wav(tmp_path / "other.wav", other, 16000)
    assert found(table([tmp_path / "one.wav", tmp_path / "other.wav"]), tmp_path) == []


def test_a_shorter_common_part_than_half_a_second_is_no_pair(tmp_path: Path) -> None:
    y = noise(0, 5.0)
    write_wav(tmp_path / "one.wav", y[: 2 * 16000], 16000)
    write_wav(tmp_path / "little.wav", y[int(1.5 * 16000) : 4 * 16000], 16000)
    write_wav(tmp_path / "much.wav", y[int(0.5 * 16000) : 3 * 16000], 16000)
    clips = table([tmp_path / name for name in ("one.wav", "little.wav", "much.wav")])
    assert ("one.wav", "much.wav", "near") in found(clips, tmp_path)
    assert ("one.wav", "little.wav", "near") not in found(clips, tmp_path)


def test_only_pairs_in_two_folds(tmp_path: Path) -> None:
    y = noise(0, 1.0)
    paths = [tmp_path / f"{name}.wav" for name in "abcd"]
    for k, path in enumerate(paths):
        write_wav(path, y / (1 + k), 16000)
    clips = table(paths, folds=["1", "1", "2", ""])
    assert len(found(clips, tmp_path)) == 6
    assert found(clips, tmp_path, across_folds=True) == [("a.wav", "c.wav", "near"), ("b.wav", "c.wav", "near")]


def test_overlapping_parts_of_one_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "long.wav", noise(0, 12.0), 16000)
    rows = [
        {"clip_id": f"{k}", "path": str(tmp_path / "long.wav"), "fold": f"{k}", "start_s": start, "end_s": start + 4}
        for k, start in enumerate((0.0, 2.0, 6.0))
    ]
    assert found(frame(rows, CLIPS), tmp_path) == [("0", "1", "near")]


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", noise(0, 1.0), 16000)
    write_wav(tmp_path / "b.wav", 0.5 * noise(0, 1.0), 16000)
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    paths = [tmp_path / name for name in ("a.wav", "broken.wav", "missing.wav", "b.wav")]
    assert found(table(paths), tmp_path) == [("a.wav", "b.wav", "near")]


def test_thousands_of_copies(tmp_path: Path) -> None:
    """Each copy is named, and pairs grow with the number of clips, not with its square."""
    write_wav(tmp_path / "a.wav", noise(0, 1.0), 16000)
    n = 5000
    row = {"path": str(tmp_path / "a.wav"), "label": "x"}
    clips = frame([{**row, "clip_id": f"{k}", "fold": str(k % 3)} for k in range(n)], CLIPS)
    pairs = find_duplicates(clips, store=Store(tmp_path / "store"), across_folds=True)
    assert len(pairs) < 2 * n
    assert {*pairs["clip_a"], *pairs["clip_b"]} == set(clips["clip_id"])
    assert duplicate_notes(pairs)[0].startswith(f"{len(pairs)} pairs of clips in different folds hold the same sound")


def test_what_is_known_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, gain in (("a", 1.0), ("b", 0.5)):
        write_wav(tmp_path / f"{name}.wav", gain * noise(0, 1.0), 16000)
    clips = table([tmp_path / "a.wav", tmp_path / "b.wav"])
    first = found(clips, tmp_path)
    monkeypatch.setattr("harness.audio.read", lambda *_, **__: pytest.fail("read again"))
    assert found(clips, tmp_path) == first
    assert found(clips.iloc[::-1], tmp_path) == [("b.wav", "a.wav", "near")]  # from the fingerprints in the store
    write_wav(tmp_path / "b.wav", noise(1, 1.0), 16000)
    monkeypatch.undo()
    assert found(clips, tmp_path) == []


def test_notes_name_the_first_and_the_number(tmp_path: Path) -> None:
    y = noise(0, 1.0)
    paths = [tmp_path / f"{k}.wav" for k in range(4)]
    for k, path in enumerate(paths):
        write_wav(path, y / (1 + k // 2), 16000)
    pairs = find_duplicates(table(paths), store=Store(tmp_path / "store"))
    assert duplicate_notes(pairs) == [
        "6 pairs of clips in different folds hold the same sound (2 exact, 4 near), so that figures may be too good: "
        "'0.wav' (fold 0) and '1.wav' (fold 1); '0.wav' (fold 0) and '2.wav' (fold 2); "
        "'0.wav' (fold 0) and '3.wav' (fold 3); and 3 more; duplicates.csv lists all of them"
    ]
    write_duplicates(pairs, tmp_path)
    assert len(read_table(tmp_path / "duplicates.csv", DUPLICATES)) == 6
    write_duplicates(pairs.iloc[:0], tmp_path)
    assert not (tmp_path / "duplicates.csv").exists()
