"""Labels of real recordings exchanged on purpose: the suspects of a study of ESC-10 begin with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import study
from corpora.loading import load_corpus
from harness.tables import CLIPS, SUSPECTS, read, write


def exchanged(clips: pd.DataFrame, *, pairs: int, seed: int) -> dict[str, str]:
    """New labels of so many pairs of clips, each of two classes."""
    rng, labels = np.random.default_rng(seed), clips["label"].to_numpy(object)
    while True:
        first, second = np.split(rng.choice(len(clips), 2 * pairs, replace=False), 2)
        if (labels[first] != labels[second]).all():
            rows = np.concatenate([first, second])
            return dict(zip(clips["clip_id"].to_numpy()[rows], labels[np.concatenate([second, first])], strict=True))


@pytest.mark.long
@pytest.mark.corpus
def test_labels_exchanged_on_purpose_are_the_first_suspects(test_data: Path, tmp_path: Path) -> None:
    clips = load_corpus("esc50", test_data / "data" / "esc10", subset="esc10").clips
    wrong = exchanged(clips, pairs=10, seed=0)
    given = [wrong.get(clip, label) for clip, label in zip(clips["clip_id"], clips["label"], strict=True)]
    write(clips.assign(label=given), tmp_path / "wrong.csv", CLIPS)
    (tmp_path / "swapped.toml").write_text(
        "[corpus]\nname = 'csv'\nroot = 'wrong.csv'\nnear_duplicates = false\n[convert]\nencodings = ['gray']\n"
    )
    study.study(tmp_path / "swapped.toml", out=tmp_path / "run", store=tmp_path / "store", jobs=2)
    suspects = read(tmp_path / "run" / SUSPECTS.name, SUSPECTS).head(30)
    found = suspects[suspects["clip_id"].isin(list(wrong))]
    true = dict(zip(clips["clip_id"], clips["label"], strict=True))
    assert len(found) >= 17  # 20 when this was written
    assert (found["suggested"] == found["clip_id"].map(true)).mean() >= 0.8
