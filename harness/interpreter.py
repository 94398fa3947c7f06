"""How Python itself is set in a process of soundfold: when it looks for garbage, and how often threads take turns.

Importing TensorFlow, pandas and scikit-learn makes a million objects that stay. By default Python looks at all that
there are again and again meanwhile, a fifth of the time that the imports take.

A thread that comes back from native code, as from a module's batch, waits for one that runs Python code until that has
had its turn, 5 ms by default. A core may be idle meanwhile.
"""

from __future__ import annotations

import gc
import sys

__all__ = ["set_up_interpreter"]

_NEW_OBJECTS = 20_000  # between two looks for garbage, a few megabytes; by default 700
_TURN_S = 0.0005


def set_up_interpreter() -> None:
    """Look for garbage seldom, and let threads take turns often."""
    gc.set_threshold(_NEW_OBJECTS)
    sys.setswitchinterval(_TURN_S)
