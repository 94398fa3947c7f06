"""How Python itself is set in a process of soundfold: when it looks for garbage, and how often threads are switched.

Importing TensorFlow, pandas and scikit-learn makes a million objects that stay. By default Python looks at all that
there are again and again meanwhile, a fifth of the time that the imports take.

A thread that comes back from native code, as from a module's batch, waits for the one that runs Python code, by default
up to 5 ms. A core may be idle meanwhile.
"""

from __future__ import annotations

import gc
import sys
import time

__all__ = ["STARTED_NS", "set_up_interpreter"]

STARTED_NS = time.time_ns()
"""When this process began to import soundfold, since the epoch."""
_NEW_OBJECTS = 20_000  # between two looks for garbage, a few megabytes; by default 700
_SWITCH_S = 0.0005


def set_up_interpreter() -> None:
    """Look for garbage seldom, and switch threads often."""
    gc.set_threshold(_NEW_OBJECTS)
    sys.setswitchinterval(_SWITCH_S)
