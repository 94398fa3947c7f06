"""``python -m tests.attack --seed 7 --tries 10000``: damaged files by the thousand; what fails is named.

``--only "sound 123"`` does one try of a seed again, with its traceback.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[k]) for k in (2, 1)]

from attack.tries import KINDS, OUTCOMES, make_subjects, run_tries, summary  # noqa: E402


def main() -> int:
    """Exit code 1 where anything is wrong, a traceback or a hang."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--only", default="", help="kind and number of one try, with its traceback")
    given = parser.parse_args()
    found: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as home:
        subjects = make_subjects(Path(home))
        if given.only:
            kind, _, number = given.only.rpartition(" ")
            print(KINDS[kind][0](subjects, random.Random(f"{given.seed} {kind} {number}")))
            return 0
        for kind, number, outcome, details in run_tries(subjects, seed=given.seed, tries=given.tries):
            found[kind, outcome] += 1
            if outcome in OUTCOMES[2:]:
                print(f"{outcome}: {kind} {number} {details}", flush=True)
    print(summary(found))
    return int(any(outcome in OUTCOMES[2:] for _, outcome in found))


if __name__ == "__main__":
    sys.exit(main())
