"""Which samples of a stream a window holds: the windows of :mod:`labeler.scanning`, one at a time."""

from __future__ import annotations

from labeler.scanning import Windows

__all__ = ["StreamWindows"]

_LEAST = 0.1  # of a window, below which what is left at the end says nothing


class StreamWindows:
    """The next window of a stream; positions are samples since its start.

    Parameters
    ----------
    windows : Windows
    sr : int
        Rate in Hz.

    Examples
    --------
    >>> windows = StreamWindows(Windows(length_s=2.0, hop_s=1.0), sr=100)
    >>> windows.start, windows.stop
    (0, 200)
    >>> windows.advance()
    >>> windows.start, windows.stop
    (100, 300)
    >>> windows.restart(250)
    >>> windows.start, windows.stop
    (250, 450)
    """

    def __init__(self, windows: Windows, sr: int) -> None:
        self._windows = windows
        self._sr = sr
        self._length = max(1, round(windows.length_s * sr))
        self._number = self._begin = self._heard = 0
        self._any = False

    @property
    def length(self) -> int:
        """Samples of a window."""
        return self._length

    @property
    def start(self) -> int:
        """Position of the first sample of the next window."""
        return self._begin + round(self._number * self._windows.hop_s * self._sr)

    @property
    def stop(self) -> int:
        """Position behind the last sample of the next window."""
        return self.start + self._length

    def advance(self) -> None:
        """Go on to the window after the next one, which was heard."""
        self._heard, self._any = self.stop, True
        self._number += 1

    def restart(self, position: int) -> None:
        """Begin again at a position, before which sound was lost: no window holds samples from before and after it."""
        self._begin = self._heard = position
        self._number = 0

    def rest(self, total: int) -> tuple[int, int] | None:
        """Where the samples lie that no window holds when the stream has ended; None for next to nothing."""
        enough = total - self._heard >= _LEAST * self._windows.length_s * self._sr
        return (self.start, total) if total > self.start and (enough or not self._any) else None
