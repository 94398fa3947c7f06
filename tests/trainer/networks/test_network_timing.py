"""How much time is left: from what was measured and the epochs trained here and now, not from what was there before."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.hub.kinds import parse
from harness.store import Store
from trainer.from_tables import train_images
from trainer.networks import fitting, folds
from trainer.networks.curves import Epoch
from trainer.networks.timing import Clock, Pace

CHOOSE, REFIT = ("1", "choose"), ("1", "refit")
GIVEN = {"handle": "cnn:small", "image_size": [8, 8], "epochs": 6, "patience": 6, "batch_size": 8}


def test_one_slow_epoch_is_not_the_pace_and_several_are() -> None:
    clock = Clock({CHOOSE: 100.0, REFIT: 110.0})
    clock.left(CHOOSE, 90.0)
    clock.took(100.0, planned=10.0)  # compiled
    assert clock.seconds_left() == 200.0
    for _ in range(3):
        clock.took(20.0, planned=10.0)
    assert clock.seconds_left() == 400.0


def test_what_is_skipped_is_not_left_and_moves_the_bar() -> None:
    clock = Clock({CHOOSE: 100.0, REFIT: 110.0})
    clock.left(CHOOSE, 0)
    assert (clock.taken(), clock.taken(), clock.seconds_left()) == (100.0, 0.0, 110.0)


def seconds_left(images: Path, out: Path, store: Store, *, stop: tuple[str, str, int] | None = None) -> list[Epoch]:
    """Epochs of a training that may be stopped."""
    seen: list[Epoch] = []

    def watch(done: Epoch) -> None:
        seen.append(done)
        if (done.fold, done.phase, done.epoch) == stop:
            raise KeyboardInterrupt

    train_images(images, out, modules=[parse(GIVEN)], store=store, on_epoch=watch)
    return seen


def test_after_a_stop_as_much_is_left_as_without_it(
    images: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "_SAVED_S", -1.0)
    monkeypatch.setattr(folds, "measured_pace", lambda *_: Pace(step_s=10.0, scored_s=1.0))
    monkeypatch.setattr(Clock, "took", lambda *_, **__: None)  # this machine's pace
    whole = {(e.fold, e.phase, e.epoch): e for e in seconds_left(images, tmp_path / "a", Store(tmp_path / "other"))}
    assert whole["1", "choose", 1].seconds_left == 5 * 11 + 6 * 20 + 1 + 2 * (6 * 11 + 6 * 20 + 1)
    for stop in (("1", "choose", 4), ("1", "refit", 1)):
        with pytest.raises(KeyboardInterrupt):
            seconds_left(images, tmp_path / "run", store, stop=stop)
    first = seconds_left(images, tmp_path / "run", store)[0]
    assert first.seconds_left == whole[first.fold, first.phase, first.epoch].seconds_left
    assert {e.of for e in whole.values() if e.phase == "choose"} == {6}
