"""``python tests/attack --seed 7 --tries 10000 --studies 20``: damaged files and disturbed studies; failures are named.

``--only "sound 123"`` does one try of a seed again, with its traceback.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[k]) for k in (2, 1)]

from attack.disturbances import WAYS, disturb  # noqa: E402
from attack.support import StudyServer, undisturbed  # noqa: E402
from attack.tries import KINDS, OUTCOMES, make_subjects, run_tries, summary  # noqa: E402


def main() -> int:
    """Exit code 1 where anything is wrong, a traceback or a hang."""
    parser = argparse.ArgumentParser(prog="python tests/attack")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--studies", type=int, default=0, help="whole studies that are killed, out of space, at once")
    parser.add_argument("--only", default="", help="kind and number of one try, with its traceback")
    given = parser.parse_args()
    found: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as home:
        subjects = make_subjects(Path(home))
        if given.only:
            kind, _, number = given.only.rpartition(" ")
            print(KINDS[kind][0](subjects, random.Random(f"{given.seed} {kind} {number}")))
            return 0
        tries = run_tries(subjects, seed=given.seed, tries=given.tries)
        for kind, number, outcome, details in chain(tries, _studies(Path(home), given)):
            found[kind, outcome] += 1
            if outcome in OUTCOMES[2:]:
                print(f"{outcome}: {kind} {number} {details}", flush=True)
    print(summary(found, [*KINDS, *(WAYS if given.studies else ())]))
    return int(any(outcome in OUTCOMES[2:] for _, outcome in found))


def _studies(home: Path, given: argparse.Namespace) -> Iterator[tuple[str, int, str, str]]:
    if not given.studies:
        return
    server = StudyServer(home)
    (home / "attacked").mkdir()
    (home / "disturbed").mkdir()
    yield from disturb(undisturbed(home / "attacked", server), home / "disturbed", seed=given.seed, tries=given.studies)
    server.stop()


if __name__ == "__main__":
    sys.exit(main())
