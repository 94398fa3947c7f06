"""Samples between the thread that reads a source and the loop that scores them."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition

import numpy as np

__all__ = ["RingBuffer"]


class RingBuffer:
    """So many samples of memory, used again and again; none is overwritten before it is released.

    One thread writes and another one reads. Positions are samples since the start. Where sound was lost there is a
    gap: a position, and how many seconds are missing there.

    Parameters
    ----------
    capacity : int
        In samples; more than the reader ever looks back.
    channels : int
        1: samples have the shape (samples,), else (samples, channels).
    """

    def __init__(self, capacity: int, *, channels: int = 1) -> None:
        self._data = np.zeros(capacity if channels == 1 else (capacity, channels), np.float32)
        self._changed = Condition()
        self._written = self._released = 0
        self._gaps: deque[tuple[int, float]] = deque()
        self._times: deque[tuple[int, float]] = deque()
        self._error: BaseException | None = None
        self._ended = self._closed = False

    # ---- for the thread that writes

    def write(self, y: np.ndarray) -> bool:
        """Append samples; waits for room. False where nobody reads any more."""
        while len(y):
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._room() > 0)
                if self._closed:
                    return False
                part, y = y[: self._room()], y[self._room() :]
                start = self._written % len(self._data)
                first = part[: len(self._data) - start]
                self._data[start : start + len(first)] = first
                self._data[: len(part) - len(first)] = part[len(first) :]
                self._written += len(part)
                self._times.append((self._written, time.monotonic()))
                self._changed.notify_all()
        return True

    def lose(self, seconds: float) -> None:
        """Note that sound is missing between what was written and what will be."""
        with self._changed:
            self._gaps.append((self._written, seconds))
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more will be written, and why where that is an error."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    # ---- for the thread that reads

    def wait(self, position: int, *, timeout: float) -> int:
        """Wait for samples after a position.

        Returns
        -------
        int
            The position up to which there are samples without a gap; `position` itself where there are none in time,
            where no more will come, and where there is a gap.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._written > position or self._gaps or self._ended, timeout)
            return min([self._written, *(where for where, _ in self._gaps if where >= position)])

    def pop_gap(self, position: int) -> float:
        """The seconds that are missing before the sample at a position; 0 where none are."""
        with self._changed:
            lost = 0.0
            while self._gaps and self._gaps[0][0] <= position:
                lost += self._gaps.popleft()[1]
            return lost

    def read(self, start: int, stop: int) -> np.ndarray:
        """A copy of the samples between two positions, neither released nor still to come; float32."""
        with self._changed:
            capacity = len(self._data)
            if not self._released <= start <= stop <= self._written:
                raise IndexError(f"{start} to {stop}: samples {self._released} to {self._written} are there")
            first, length = start % capacity, stop - start
            whole = self._data[first : first + length]
            return np.concatenate([whole, self._data[: length - len(whole)]])

    def release(self, position: int) -> None:
        """Give samples before a position free to be overwritten."""
        with self._changed:
            self._released = max(self._released, position)
            while self._times and self._times[0][0] <= self._released:
                self._times.popleft()
            self._changed.notify_all()

    def time_of(self, position: int) -> float:
        """When the samples before a position were all there, on the clock of `time.monotonic`."""
        with self._changed:
            return next((at for stop, at in self._times if stop >= position), time.monotonic())

    def is_over(self, position: int) -> bool:
        """Whether nothing comes after a position.

        Raises
        ------
        BaseException
            What :meth:`end` was given.
        """
        with self._changed:
            if not self._ended or self._written > position:
                return False
            if self._error is not None:
                raise self._error
            return True

    def close(self) -> None:
        """Let the thread that writes leave."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _room(self) -> int:
        return len(self._data) - (self._written - self._released)
