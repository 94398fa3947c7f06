"""Work that kills its process; other processes import this, so it imports next to nothing."""

from __future__ import annotations

import os
import signal
import time


def die_at_three(number: int) -> int:
    """The number; at 3 the process is killed, as by a decoder that crashes."""
    return number if number != 3 else die(number)


def die(number: int) -> int:
    """Kill this process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def wait_long(sign: str) -> None:
    """Write a file as a sign that this has begun, and work for longer than anybody waits."""
    open(sign, "x").close()
    time.sleep(400)
