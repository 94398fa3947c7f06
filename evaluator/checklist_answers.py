"""What a run can answer of a referee's questions: each answer from its tables and ``run.json``, or None.

Only what these say is said; a table of predictions from elsewhere, without ``run.json``, has few answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from evaluator.checklist_facts import RunFacts, as_code, as_text
from evaluator.checklist_training import evaluated, models, tested_apart, tuned
from evaluator.combinations import titles
from harness.figures import percent, spread
from harness.shared_groups import groups_known, spanning_groups

__all__ = ["ANSWERS"]

_CLASSES_SHOWN = 50
_SETTINGS = (
    "sample_rate",
    "duration_s",
    "pad",
    "size",
    "n_fft",
    "hop_length",
    "n_mels",
    "fmin",
    "fmax",
    "ref",
    "top_db",
)


def _data_set(facts: RunFacts) -> str | None:
    corpus = facts.spec("corpus")
    digests = facts.steps.get("train", {}).get("inputs") or {}
    lines = [f"sha256 of {as_code(name)}: {as_code(digest)}." for name, digest in sorted(digests.items())]
    if not corpus.get("name"):
        return _joined(lines)
    subset = f", subset {as_code(corpus['subset'])}" if corpus.get("subset") else ""
    return _joined([f"Corpus {as_code(corpus['name'])}{subset}: {len(_all_clips(facts))} clips.", *lines])


def _code_used(facts: RunFacts) -> str | None:
    version = (_train(facts).get("versions") or {}).get("soundfold")
    return f"soundfold {version}." if version else None


def _computed(facts: RunFacts) -> str | None:
    versions = _train(facts).get("versions") or {}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"Software, as `run.json` has it: {listed}." if versions else None


def _script(facts: RunFacts) -> str | None:
    commands = dict.fromkeys(
        str(step["command"]) for name, step in facts.steps.items() if name != "evaluate" and step.get("command")
    )
    return (
        "By these commands:\n\n" + "\n".join(f"    {' '.join(each.split())}" for each in commands) if commands else None
    )


def _outcome(facts: RunFacts) -> str:
    counts = facts.tested["label"].value_counts().sort_index()
    shown = ", ".join(f"{as_code(name)} {n}" for name, n in counts.head(_CLASSES_SHOWN).items())
    more = f" and {len(counts) - _CLASSES_SHOWN} more" if len(counts) > _CLASSES_SHOWN else ""
    return f"One of {len(counts)} classes for each clip. Tested clips of each: {shown}{more}."


def _size(facts: RunFacts) -> str:
    table, folds = facts.tested, facts.tested["fold"].value_counts()
    named = {group for group in facts.groups.values() if group}
    groups = f"{len(named)} groups" if _known(facts) else "groups are not known"
    lines = [f"{len(table)} clips were tested; {groups}."]
    if len(folds) > 1:
        lines.append(f"Folds: {len(folds)}, of {folds.min()} to {folds.max()} clips.")
    others = len(facts.clips) - len(table)
    if facts.spec("train").get("single_split") and others > 0:
        lines.append(f"{others} further clips are in other parts of the split.")
    return " ".join(lines)


def _missing(facts: RunFacts) -> str:
    failed = facts.failures["clip_id"].nunique()
    without = set(facts.groups) - set(facts.tested["clip_id"]) - set(facts.failures["clip_id"])
    lines = [f"{failed} clips could not be used." if failed else "No clip is recorded as unusable."]
    if without:
        lines.append(f"{len(without)} further clips have no prediction.")
    return " ".join([*lines, "Every tested clip has a label."])


def _left_out(facts: RunFacts) -> str | None:
    corpus = facts.spec("corpus")
    if not corpus:
        return None
    found = []
    if corpus.get("subset"):
        found.append(f"Only the subset {as_code(corpus['subset'])} of the corpus was taken.")
    if corpus.get("classes"):
        found.append("Only these classes were taken: " + ", ".join(map(as_code, corpus["classes"])) + ".")
    changes = corpus.get("label_changes") or {}
    if changes.get("dropped"):
        where = " in training" if changes.get("scope") == "training" else ""
        found.append(f"{len(changes['dropped'])} clips were left out{where} by {as_code(changes['table'])}.")
    if corpus.get("shared_groups") == "drop":
        found.append("Clips of groups in several folds were left out of training where they would leak.")
    return " ".join(found) or "The settings of the run leave out no clip of the corpus."


def _damaged(facts: RunFacts) -> str:
    failed = facts.failures["clip_id"].nunique()
    if failed:
        return f"{failed} clips failed and are in no figure; `failures.csv` names each with its reason."
    return "No clip is recorded as failed."


def _transformed(facts: RunFacts) -> str | None:
    encodings = facts.spec("convert").get("encodings") or {}
    lines = []
    for name, own in encodings.items():
        shown = ", ".join(f"{key} {own[key]}" for key in _SETTINGS if key in own)
        lines.append(f"- {as_code(name)}: encoding {as_code(own.get('encoding', ''))}; {as_text(shown)}")
    for name, own in (facts.spec("merge").get("merges") or {}).items():
        lines.append(f"- {as_code(name)}: {as_code(own.get('how', ''))} of other images")
    return "Sounds were drawn as images (all settings: `images/run.json`):\n\n" + "\n".join(lines) if lines else None


def _selected(facts: RunFacts) -> str:
    ranked = facts.evaluation.ranking
    best = titles([facts.evaluation.best])[facts.evaluation.best]
    if len(ranked) == 1:
        return "One combination was evaluated; none was chosen among several in this run."
    return (
        f"{len(ranked)} combinations were ranked by mean accuracy on the very clips that are reported; the best, "
        f"{as_text(best)}, was chosen by that figure, which is a little optimistic for it."
    )


def _baselines(facts: RunFacts) -> str:
    share = facts.tested["label"].value_counts(normalize=True).max()
    declared = f" Declared baseline: encoding {as_code(facts.baseline)}." if facts.baseline else " None was declared."
    return f"Always the most frequent class: {percent(share)} %.{declared}"


def _dependent(facts: RunFacts) -> str:
    lines = []
    if _known(facts):
        rows = facts.clips if len(facts.clips) else facts.tested.assign(group=facts.tested["clip_id"].map(facts.groups))
        spanning = spanning_groups(rows["fold"].tolist(), rows["group"].tolist())
        policy = facts.spec("train").get("shared_groups")
        how = f" (policy for such groups: {as_code(policy)})" if spanning and policy else ""
        lines.append(f"Groups in several folds: {len(spanning)}{how}.")
    else:
        lines.append("Groups are not known, so that clips of one recording may be in several folds.")
    corpus = facts.spec("corpus")
    if "near_duplicates" in corpus:
        looked = "identical bytes and near copies" if corpus["near_duplicates"] else "identical sounds"
        lines.append(f"All sounds were searched for {looked} in several folds; pairs found: {facts.duplicates}.")
    elif facts.duplicates:
        lines.append(f"`duplicates.csv` lists pairs of clips with the same sound: {facts.duplicates}.")
    else:
        lines.append("The run does not record a search for the same sound in several folds.")
    notes = [f"- {as_text(line)}" for line in facts.evaluation.notes]
    return " ".join(lines) + ("\n\nWhat the run noted:\n\n" + "\n".join(notes) if notes else "")


def _inputs(facts: RunFacts) -> str | None:
    if not facts.spec("train") or not facts.spec("corpus"):
        return None
    return "Models were given the sound alone, as image or samples: no file name, no metadata, no time or place."


def _metrics(facts: RunFacts) -> str:
    names = sorted(facts.evaluation.metrics["metric"].unique())
    return f"In `metrics.csv`: {', '.join(map(as_code, names))}. Combinations are ranked by accuracy."


def _uncertain(facts: RunFacts) -> str:
    first = facts.evaluation.ranking.iloc[0]
    lines = [f"Accuracy of the best: {spread(first['accuracy'], first['std'])} %"]
    lines[0] += " (mean and deviation over folds)." if first["folds"] > 1 else "."
    if pd.notna(first["low"]):
        unit = "groups" if facts.unit == "groups" else facts.unit
        lines.append(f"95 % interval {percent(first['low'])} to {percent(first['high'])}, by bootstrap over {unit}.")
    lines.append(f"Seeds: {int(first['seeds'])}.")
    return " ".join(lines)


def _tests(facts: RunFacts) -> str | None:
    if len(facts.evaluation.ranking) < 2:
        return None
    said = "\n".join(f"- {as_text(line)}" for line in facts.evaluation.verdict)
    return f"`differences.csv` has every comparison with its test. The verdict:\n\n{said}"


def _elsewhere(facts: RunFacts) -> str | None:
    name = facts.spec("corpus").get("name")
    return f"All figures are on clips of the corpus {as_code(name)} itself." if name else None


ANSWERS: dict[str, Callable[[RunFacts], str | None]] = {
    "2a": _data_set, "2b": _code_used, "2c": _computed, "2e": _script, "3d": _outcome, "3e": _size, "3f": _missing,
    "4a": _left_out, "4b": _damaged, "4c": _transformed, "5a": models, "5c": evaluated, "5d": _selected,
    "5e": tuned, "5f": _baselines, "6a": tested_apart, "6b": _dependent, "6c": _inputs, "7a": _metrics,
    "7b": _uncertain, "7c": _tests, "8a": _elsewhere,
}  # fmt: skip
"""By the item's number what answers it; each gives Markdown, or None where the run does not say."""


def _train(facts: RunFacts) -> dict[str, Any]:
    found: dict[str, Any] = facts.steps.get("train", {})
    return found


def _all_clips(facts: RunFacts) -> pd.DataFrame:
    return facts.clips if len(facts.clips) else facts.tested


def _known(facts: RunFacts) -> bool:
    return groups_known(facts.groups.values())


def _joined(lines: list[str]) -> str | None:
    return " ".join(lines) or None
