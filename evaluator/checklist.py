"""``checklist.md``: the items that REFORMS asks of a study, those that a run can answer filled in.

The items are in ``checklist.md.j2``, the answers in :mod:`evaluator.checklist_answers`. A file that somebody has edited
is not replaced: its last line has the digest of the lines that were written.
"""

from __future__ import annotations

import re
from pathlib import Path

from evaluator.checklist_answers import ANSWERS, RunFacts
from harness.files import digest_bytes, write_text

__all__ = ["NAME", "checklist_text", "write_checklist"]

NAME = "checklist.md"

_DIGEST = re.compile(r"\n<!-- written by soundfold, sha256 ([0-9a-f]{64}) -->\n\Z")


def checklist_text(facts: RunFacts, *, title: str) -> str:
    """The checklist of a run, in Markdown; the same facts give the same text.

    Parameters
    ----------
    facts : RunFacts
    title : str
        Name of the run.
    """
    from jinja2 import Environment, StrictUndefined  # not needed to compare runs

    answers = {number: text for number, answer in ANSWERS.items() if (text := answer(facts))}

    def item(number: str, what: str, missing: str) -> str:
        found = f"{answers[number]}\n\n" if number in answers else ""
        return f"**{number}. {what}.**\n\n{found}*To fill in:* {missing}\n"

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # no HTML: cells are escaped
    template = environment.from_string(Path(__file__).with_name("checklist.md.j2").read_text(encoding="utf-8"))
    return template.render(title=title, item=item, filled=len(answers))


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
