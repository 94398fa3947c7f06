"""Temporary files that killed processes of this machine have left in a store."""

from __future__ import annotations

import os
from contextlib import suppress

from harness.files import is_abandoned
from harness.store import Store

__all__ = ["remove_leftovers"]


def remove_leftovers(store: Store) -> int:
    """Remove what processes that are gone were writing; give how many files. What others write just now remains.

    Of other machines nothing is known: theirs go by ``soundfold store prune``. So it is with a store behind a URL.
    """
    count = 0
    if not store.url and store.writes:
        for folder, _, names in os.walk(store.root):
            for path in (os.path.join(folder, name) for name in names if name.endswith(".part")):
                if is_abandoned(path):
                    with suppress(OSError):
                        os.unlink(path)
                        count += 1
    return count
