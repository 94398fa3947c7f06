"""Log lines of ``retrain.py``: on stderr, in the form that the old script's had."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["LOGGER", "log_to_stderr"]

LOGGER = logging.getLogger("retrain")


@contextmanager
def log_to_stderr(verbosity: str) -> Iterator[None]:
    """Send log lines to stderr while the block runs.

    Parameters
    ----------
    verbosity : str
        ``DEBUG``, ``INFO``, ``WARN``, ``ERROR`` or ``FATAL``: the least that is shown.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
    before = LOGGER.level, LOGGER.propagate
    LOGGER.addHandler(handler)
    LOGGER.setLevel(verbosity)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.level, LOGGER.propagate = before
