"""Functions that are called in threads: in order, a few ahead, and no further than is asked for."""

from __future__ import annotations

import time

from harness.threads import in_threads


def test_results_are_in_order() -> None:
    assert list(in_threads(lambda k: time.sleep(0.002 * (k % 3)) or k, range(100))) == list(range(100))


def test_what_is_given_up_does_not_begin() -> None:
    called: list[int] = []

    def call(k: int) -> int:
        called.append(k)
        time.sleep(0.01)
        return k

    results = in_threads(call, range(1000), threads=2)
    assert next(results) == 0  # the others of the first batch wait by now
    results.close()
    assert len(called) < 10
