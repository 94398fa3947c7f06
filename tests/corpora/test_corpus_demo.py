"""The demo corpus: the same bytes for the same seed, groups, format, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from corpora.datasets import demo
from corpora.demo_render import render
from corpora.demo_sounds import SOUNDS
from corpora.loading import load
from harness import audio
from harness.errors import SettingsError
from harness.files import digest_file
from harness.store import default_root


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """A demo of fewer clips; gives their number."""
    monkeypatch.setattr(demo, "FOLDS", 2)
    monkeypatch.setattr(demo, "SOURCES_PER_FOLD", 1)
    monkeypatch.setattr(demo, "TAKES", 1)
    return 2 * len(SOUNDS)


def _digests(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in sorted(folder.rglob("*.wav"))}


def test_300_clips_in_5_folds_of_3_sources_with_2_takes(demo_root: Path) -> None:
    table = load("demo", demo_root)
    assert len(table) == 300
    assert sorted(set(table["label"])) == list(SOUNDS) == sorted(SOUNDS)
    per_cell = table.groupby(["label", "fold"])
    assert (per_cell.size() == 6).all()
    assert (per_cell["group"].nunique() == 3).all()
    assert len(per_cell) == 50
    assert (table.groupby("group")["fold"].nunique() == 1).all()
    assert (table.groupby("group")["label"].nunique() == 1).all()


def test_format_length_and_level(demo_root: Path) -> None:
    lengths = set()
    for path in load("demo", demo_root)["path"][::7]:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype, info.format) == (22050, 1, "PCM_16", "WAV")
        assert 1.19 <= info.duration <= 1.81
        lengths.add(info.frames)
        y, _ = audio.read(path)
        assert 0.02 < np.abs(y).max() <= 0.901
    assert len(lengths) > 20, "clips are not all as long"


def test_same_seed_same_bytes_other_seed_other_bytes(demo_root: Path, tmp_path: Path, small: int) -> None:
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        demo.make(tmp_path / name, seed=seed)
    first, again, other = (_digests(tmp_path / name) for name in ("first", "again", "other"))
    assert len(set(first.values())) == small
    assert first == again
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())
    whole = _digests(demo_root)
    assert len(set(whole.values())) == 300
    assert set(first.items()) <= set(whole.items())


@pytest.mark.parametrize("label", sorted(SOUNDS))
def test_takes_of_a_source_are_more_alike_than_sources(label: str) -> None:
    takes = np.array([[_spectrum(render(label, source=s, take=k, seed=0)) for k in range(2)] for s in range(8)])
    within = np.linalg.norm(takes[:, 0] - takes[:, 1], axis=1).mean()
    between = np.linalg.norm(takes[:, None, 0] - takes[None, :, 1], axis=2)[~np.eye(8, dtype=bool)].mean()
    assert within < 0.8 * between


def _spectrum(y: np.ndarray) -> np.ndarray:
    frames = y[: len(y) // 512 * 512].reshape(-1, 512) * np.hanning(512)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)[1:].reshape(32, 8).mean(axis=1)
    return np.log(power + 1e-9)


def test_a_finished_demo_is_not_made_again(tmp_path: Path, small: int) -> None:
    demo.make(tmp_path / "demo")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.wav")}
    assert len(before) == small
    demo.make(tmp_path / "demo")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*.wav")} == before
    next(iter(before)).unlink()
    demo.make(tmp_path / "demo")
    assert set((tmp_path / "demo").rglob("*.wav")) == set(before)


def test_a_run_that_is_stopped_leaves_nothing_half_made(
    tmp_path: Path, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def stopping(path: Path, y: np.ndarray, sr: int) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path)
        audio.write_wav(path, y, sr)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(demo, "write_wav", stopping)
        demo.make(tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []
    demo.make(tmp_path / "demo")
    assert len(_digests(tmp_path / "demo")) == small


def test_another_seed_replaces_an_older_demo_but_nothing_else(
    tmp_path: Path, small: int, tone: Callable[..., Path]
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "demo.json").write_text('{"corpus": "demo", "version": 0}', encoding="utf-8")
    tone(tmp_path / "demo" / "bell" / "old.wav")
    assert len(load("demo", tmp_path / "demo")) == small
    assert not (tmp_path / "demo" / "bell" / "old.wav").exists()
    mine = tone(tmp_path / "mine" / "a.wav")
    with pytest.raises(SettingsError, match="mine: holds something that is not a demo corpus"):
        load("demo", tmp_path / "mine")
    assert mine.is_file()
    with pytest.raises(SettingsError, match="seed=-1: expected 0 to 4294967295"):
        load("demo", tmp_path / "third", seed=-1)


def test_without_a_root_it_lies_in_the_store(demo_root: Path) -> None:
    table = load("demo")
    assert Path(table["path"].iloc[0]).parents[1] == default_root() / "corpora" / demo_root.name


def test_spectra_and_their_changes_in_time_separate_the_classes(demo_root: Path) -> None:
    """Far above one in ten: a plain classifier on mean and deviation of a log spectrum, folds by group."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = load("demo", demo_root)
    x = np.array([_pooled(audio.load(path, sr=22050)) for path in table["path"]])
    right = []
    for fold in sorted(set(table["fold"])):
        test = (table["fold"] == fold).to_numpy()
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        model.fit(x[~test], table["label"][~test])
        right.append(model.score(x[test], table["label"][test]))
    assert 0.5 < np.mean(right) < 0.85, "neither a riddle nor a toy"


def _pooled(y: np.ndarray) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(y, 1024)[::512] * np.hanning(1024)
    edges = np.unique(np.geomspace(2, 513, 65).astype(int))
    power = np.add.reduceat(np.abs(np.fft.rfft(frames)) ** 2, edges[:-1], axis=1)
    log = 10 * np.log10(power + 1e-10)
    log = np.maximum(log - log.max(), -80)
    return np.concatenate([log.mean(axis=0), log.std(axis=0)])
