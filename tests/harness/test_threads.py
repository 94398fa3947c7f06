"""Functions that are called in threads: in order, a few ahead, and no further than is asked for."""

from __future__ import annotations

import time

import pytest

from harness.threads import in_threads, long_calls


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


def test_a_long_call_goes_on_beside_the_block() -> None:
    with long_calls() as calls:
        begun = [calls.begin(pow, 2, k) for k in range(3)]
        assert [each.result() for each in begun] == [1, 2, 4]


def test_a_long_call_is_interrupted_where_the_block_fails() -> None:
    def forever() -> None:
        while True:
            time.sleep(0.001)

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), long_calls() as calls:
        begun, next_one = calls.begin(forever), calls.begin(forever)
        time.sleep(0.05)
        raise ZeroDivisionError
    assert time.monotonic() - started < 5
    assert isinstance(begun.exception(), KeyboardInterrupt)
    assert next_one.cancelled()
