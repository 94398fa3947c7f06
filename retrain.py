"""Train a new top layer on a module's features of a folder of class folders of images.

The maintained successor of TensorFlow Hub's ``retrain.py``: its flags, its log lines, its outputs. See
``docs/migrating.md`` for what an old command line gives now, and ``trainer/retrain`` for the parts.

Examples
--------
::

    python retrain.py --image_dir ~/flower_photos --tfhub_module builtin:scattering
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import trainer
from harness.cli import guard
from harness.installation import check_packages


def main(argv: Sequence[str] | None = None) -> int:
    """Run one training.

    Returns
    -------
    int
        0 done; 1 an error, or done but for images that could not be read; 2 a misspelt flag (as `SystemExit`);
        130 interrupted.
    """
    return guard(lambda: _train(argv))


def _train(argv: Sequence[str] | None) -> int:
    check_packages()
    flags = trainer.parse_flags(argv)  # numpy and the like are imported after this
    return trainer.run_logged(flags)


if __name__ == "__main__":
    sys.exit(main())
