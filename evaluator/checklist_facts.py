"""What answers of the checklist are made of, and how they write names and sentences in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from evaluator.notes import spec_of
from evaluator.results import Evaluation

__all__ = ["RunFacts", "as_code", "as_text"]


@dataclass(frozen=True)
class RunFacts:
    """All that answers are made of.

    Parameters
    ----------
    evaluation : Evaluation
    steps : mapping
        Of the run's ``run.json``, and of that of its images.
    groups : mapping of str to str
        From clip_id to group, which may be empty.
    clips : DataFrame
        As `harness.tables.CLIPS`; without rows where the run has none.
    failures : DataFrame
        As `harness.tables.FAILURES`; without rows where the run has none.
    duplicates : int
        Rows of its ``duplicates.csv``.
    baseline : str
        The encoding that others were held against; empty for none.
    unit : str
        What intervals were drawn from.
    repeats : int
        Over how many other groupings of the clips into folds heads were fitted too.
    """

    evaluation: Evaluation
    steps: Mapping[str, Any]
    groups: Mapping[str, str]
    clips: pd.DataFrame
    failures: pd.DataFrame
    duplicates: int = 0
    baseline: str = ""
    unit: str = "groups"
    repeats: int = 0

    @property
    def tested(self) -> pd.DataFrame:
        """Each tested clip once."""
        return self.evaluation.predictions.drop_duplicates("clip_id")

    def spec(self, step: str) -> dict[str, Any]:
        """The settings of a step; empty where the run does not say."""
        return spec_of(self.steps, step)


def as_code(text: object) -> str:
    """A name as Markdown shows it, letter by letter."""
    plain = " ".join(str(text).split())
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{plain}{space}{fence}"


def as_text(text: str) -> str:
    """A sentence in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(text.split()))
