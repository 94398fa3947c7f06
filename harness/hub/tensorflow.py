"""TensorFlow, imported late and without the lines that it prints about itself."""

from __future__ import annotations

import os
import sys
from typing import Any

from harness.native_stderr import stderr_held_back

__all__ = ["import_tensorflow"]


def import_tensorflow() -> Any:
    """Import TensorFlow (about 5 s the first time) without the lines that it prints about itself."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault(
            "TF_ENABLE_ONEDNN_OPTS", "1"
        )  # off by default on many CPUs, where it is 2.5 times as fast
        with stderr_held_back():
            import tensorflow  # five seconds

            tensorflow.constant(0)  # the device set-up prints, too
        tensorflow.get_logger().setLevel("ERROR")
    import tensorflow  # there by now

    return tensorflow
