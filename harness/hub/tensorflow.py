"""TensorFlow, imported late and without the lines that it prints about itself."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["import_tensorflow"]


def import_tensorflow() -> Any:
    """Import TensorFlow (about 5 s the first time) without the lines that it prints about itself."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault(
            "TF_ENABLE_ONEDNN_OPTS", "1"
        )  # off by default on many CPUs, where it is 2.5 times as fast
        with _stderr_held_back():
            import tensorflow  # five seconds

            tensorflow.constant(0)  # the device set-up prints, too
        tensorflow.get_logger().setLevel("ERROR")
    import tensorflow  # there by now

    return tensorflow


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what native code prints to stderr; show it only where the block fails."""
    try:
        target = sys.__stderr__.fileno() if sys.__stderr__ else 2
        saved = os.dup(target)
    except (OSError, ValueError):  # no stderr to hold back
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), target)
        try:
            yield
        except BaseException:
            os.dup2(saved, target)
            held.seek(0)
            os.write(target, held.read())
            raise
        finally:
            os.dup2(saved, target)
            os.close(saved)
