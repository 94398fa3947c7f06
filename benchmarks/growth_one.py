"""One part of `growth` at one size: ``python -m benchmarks.growth_one PART CLIPS FOLDER FILE`` writes FILE."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.growth_steps import PARTS, measured


def main(part: str, clips: str, folder: str, file: str) -> None:
    """Measure the steps and write seconds and MB of each."""
    found = {}
    for name, seconds, mb in measured(PARTS[part](int(clips), Path(folder))):
        print(f"{clips} clips: {name}: {seconds:.3f} s, {mb:.0f} MB", flush=True)
        found[name] = seconds, mb
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
