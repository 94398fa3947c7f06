"""Fingerprints and candidates: what a hash does not depend on, and how the work grows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from corpora.fingerprint import RATE, fingerprint, from_mu_law
from corpora.matching import Candidate, candidates, verify


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    """White noise at -20 dB."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def test_gain_and_polarity_leave_the_hashes_as_they_are() -> None:
    one, _ = fingerprint(noise(0), RATE)
    other, _ = fingerprint(-0.25 * noise(0), RATE)
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.hashes, other.hashes)
    assert one.samples != other.samples


def test_silent_constant_and_short_sounds_have_no_hashes() -> None:
    for y in (np.zeros(RATE), np.full(RATE, 0.5), noise(0, 0.05), np.ones(1)):
        assert len(fingerprint(y.astype(np.float32), RATE)[0].hashes) == 0


def test_the_cached_sound_is_the_sound() -> None:
    y = noise(0)
    again = from_mu_law(fingerprint(y, RATE)[1])
    assert np.corrcoef(y, again)[0, 1] > 0.999


def test_clipped_samples_are_counted_in_runs() -> None:
    y = np.zeros(100, np.float32)
    y[[3, 10, 11, 20, 21, 22, 30, 31, 32, 33]] = 1
    assert fingerprint(y, RATE)[0].clipped == 7


def test_an_offset_is_found_and_verified() -> None:
    y = noise(0, 4.0)
    sounds = [fingerprint(part, RATE) for part in (y[:24000], noise(1), y[8000:])]
    prints = [known for known, _ in sounds]
    found = candidates(prints)
    assert Candidate(0, 2, -250) in found
    assert {(each.a, each.b) for each in found} == {(0, 2)}
    first, last = (from_mu_law(sounds[k][1]) for k in (0, 2))
    match = verify(first, last, -251)  # a frame off
    assert match is not None
    assert match.offset_s == -1.0
    assert match.similarity > 0.98
    assert verify(first, last, 100) is None
    assert candidates(prints, wanted=lambda a, b: a == 1) == []


def test_candidates_grow_with_the_number_of_sounds_not_its_square() -> None:
    """A thousand near copies are half a million pairs; every copy is in some of them."""
    made = [fingerprint((noise(0) + 0.02 * noise(1 + k)), RATE)[0] for k in range(20)]
    prints = [replace(made[k % 20], samples=str(k)) for k in range(1000)]
    pairs = {(each.a, each.b) for each in candidates(prints)}
    assert len(pairs) < 20 * len(prints)
    assert {k for pair in pairs for k in pair} == set(range(len(prints)))


def test_nothing_to_compare() -> None:
    silent, _ = fingerprint(np.zeros(RATE, np.float32), RATE)
    assert candidates([]) == candidates([silent]) == candidates([silent, silent]) == []
