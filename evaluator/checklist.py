"""``checklist.md``: the items that REFORMS asks of a study, those that a run can answer filled in.

The items are in :mod:`evaluator.checklist_items`, the answers in :mod:`evaluator.checklist_answers`. A file that
somebody has edited is not replaced: its last line has the digest of the lines that were written.
"""

from __future__ import annotations

import re
from pathlib import Path

from evaluator.checklist_answers import ANSWERS
from evaluator.checklist_facts import RunFacts
from evaluator.checklist_items import SECTIONS
from harness.files import digest_bytes, write_text

__all__ = ["NAME", "checklist_text", "write_checklist"]

NAME = "checklist.md"

_INTRODUCTION = """\
The 32 items are those of REFORMS (Kapoor et al., "REFORMS: Consensus-based recommendations for machine-learning-based
science", Science Advances 10, eadk3452, 2024), in other words. What the run itself can answer is filled in, from
`run.json` and the tables next to this file; *to fill in* marks what only its authors know. A file that was edited is
not replaced: remove it to have it written anew.\
"""

_DIGEST = re.compile(r"\n<!-- written by soundfold, sha256 ([0-9a-f]{64}) -->\n\Z")


def checklist_text(facts: RunFacts, *, title: str) -> str:
    """The checklist of a run, in Markdown; the same facts give the same text.

    Parameters
    ----------
    facts : RunFacts
    title : str
        Name of the run.
    """
    answers = {number: text for number, answer in ANSWERS.items() if (text := answer(facts))}
    parts = [f"# Checklist for the referee: {title}", _INTRODUCTION]
    parts.append(
        f"{len(answers)} of {sum(map(len, SECTIONS.values()))} items have an answer from the run, in full or in part."
    )
    for section, items in SECTIONS.items():
        parts.append(f"## {section}")
        for number, (what, missing) in items.items():
            parts += [f"**{number}. {what}.**", answers.get(number, ""), f"*To fill in:* {missing}"]
    return "\n\n".join(filter(None, parts)) + "\n"


def write_checklist(text: str, path: str | Path) -> str:
    """Write the checklist, where nobody has edited the one that is there.

    Returns
    -------
    str
        What is to be said of it; empty where it was written.
    """
    path = Path(path)
    if path.is_file() and not _is_as_written(path.read_text(encoding="utf-8", errors="replace")):
        return f"{path.name} was edited and left as it is; remove it to have it written anew."
    write_text(path, f"{text}\n<!-- written by soundfold, sha256 {digest_bytes(text.encode())} -->\n")
    return ""


def _is_as_written(text: str) -> bool:
    found = _DIGEST.search(text)
    return not text.strip() or (
        found is not None and digest_bytes(text[: found.start()].encode("utf-8", "replace")) == found.group(1)
    )
