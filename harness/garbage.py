"""How often Python looks for objects that only refer to each other.

Importing TensorFlow, pandas and scikit-learn makes a million objects that stay. By default Python looks at all that
there are again and again meanwhile, a fifth of the time that the imports take.
"""

from __future__ import annotations

import gc

__all__ = ["look_seldom"]

_NEW_OBJECTS = 20_000  # between two looks; Python's own default is 700


def look_seldom() -> None:
    """Look for garbage once in 20,000 new objects, which are a few megabytes."""
    gc.set_threshold(_NEW_OBJECTS)
