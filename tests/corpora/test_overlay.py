"""Labels changed by a table: which, where they are used, what is wrong in one line with file and line."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_study import command

from corpora.__main__ import app
from corpora.loading import load_corpus
from corpora.overlay import read_overlay
from harness.errors import SettingsError, TableError
from harness.label_changes import LabelChanges, as_scope, read_label_changes
from harness.record import read_steps
from harness.tables import CLIPS, SUSPECTS, frame, read, write

HEADER = "clip_id,label,suggested,accept\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A table of eight clips of two classes in two folds, and their files, which nobody reads."""
    rows = []
    for i in range(8):
        (tmp_path / f"{i}.wav").write_bytes(bytes([i]))
        rows.append({"clip_id": f"{i}.wav", "path": str(tmp_path / f"{i}.wav"), "label": "cat" if i % 2 else "dog",
                     "fold": str(i // 4 + 1), "group": f"g{i}"})  # fmt: skip
    write(frame(rows, CLIPS), tmp_path / "clips.csv", CLIPS)
    return tmp_path


def overlay(folder: Path, lines: str, *, header: str = HEADER) -> Path:
    path = folder / "labels.csv"
    path.write_text(header + lines, encoding="utf-8")
    return path


def labels(table: pd.DataFrame, column: str = "label") -> dict[str, str]:
    return dict(zip(table["clip_id"], table[column], strict=True))


ROWS = "0.wav,dog,cat,yes\n1.wav,cat,dog,\n2.wav,dog,cat,drop\n3.wav,cat,cat,x\n4.wav,dog,cat,No\n"


def test_only_what_is_accepted_is_changed(corpus: Path) -> None:
    clips = read(corpus / "clips.csv", CLIPS)
    found = read_overlay(overlay(corpus, ROWS), clips)
    assert (found.labels, found.dropped, found.table) == ({"0.wav": "cat"}, ("2.wav",), "labels.csv")


def test_for_training_alone_the_table_is_as_the_corpus_gives_it(corpus: Path) -> None:
    plain = load_corpus("csv", corpus / "clips.csv")
    loaded = load_corpus("csv", corpus / "clips.csv", overlay=overlay(corpus, ROWS))
    pd.testing.assert_frame_equal(loaded.clips, plain.clips)
    table = loaded.changes.for_training(loaded.clips)
    assert labels(table) == labels(plain.clips)
    assert labels(table, "training_label") == {**labels(plain.clips), "0.wav": "cat", "2.wav": ""}
    assert loaded.notes == [
        "Labels of 1 clip were changed by labels.csv and 1 clip left out in training alone: all clips are tested, with "
        "the labels that the corpus gives."
    ]


def test_everywhere_the_clips_have_the_new_labels_and_their_folds(corpus: Path) -> None:
    given = labels(load_corpus("csv", corpus / "clips.csv", folds=2, seed=3).clips, "fold")
    path = overlay(corpus, ROWS)
    loaded = load_corpus("csv", corpus / "clips.csv", folds=2, seed=3, overlay=path, overlay_scope="all")
    assert labels(loaded.clips)["0.wav"] == "cat"
    assert labels(loaded.clips, "fold") == {clip: fold for clip, fold in given.items() if clip != "2.wav"}
    assert "cannot be compared with those" in loaded.notes[-1]
    pd.testing.assert_frame_equal(loaded.changes.for_training(loaded.clips), loaded.clips)


def test_a_table_that_changes_nothing_is_as_none(corpus: Path) -> None:
    path = overlay(corpus, "0.wav,dog,cat,\n")
    loaded = load_corpus("csv", corpus / "clips.csv", overlay=path)
    assert not loaded.changes and loaded.notes == [] and loaded.changes.to_json() == {}


def test_the_digest_is_that_of_the_changes(corpus: Path) -> None:
    clips = read(corpus / "clips.csv", CLIPS)
    first = read_overlay(overlay(corpus, ROWS), clips).digest
    more = "7.wav,cat,dog,no\n" + "".join(reversed(ROWS.splitlines(keepends=True)))
    assert read_overlay(overlay(corpus, more), clips).digest == first
    assert read_overlay(overlay(corpus, ROWS), clips, scope="all").digest != first


def test_a_spreadsheet_s_semicolons_and_the_suspects_of_an_evaluation_are_read(corpus: Path) -> None:
    clips = read(corpus / "clips.csv", CLIPS)
    path = overlay(corpus, "0.wav;dog;cat;Yes\n", header="\ufeffclip_id;label;suggested;accept\n")
    assert read_overlay(path, clips).labels == {"0.wav": "cat"}
    row = {"clip_id": "0.wav", "label": "dog", "suggested": "cat", "accept": "y", "quality": 0.1, "p_label": 0.1}
    write(frame([row], SUSPECTS), corpus / "suspects.csv", SUSPECTS)
    assert read_overlay(corpus / "suspects.csv", clips).labels == {"0.wav": "cat"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("0.wav,dog,cat,\n0.wav,dog,cat,yes\n", "line 3: clip '0.wav' is named in line 2 too"),
        ("0.wav,dog,cat,\n9.wav,dog,cat,yes\n", "line 3: no clip '9.wav' in the corpus"),
        ("0.wav,dog,cats,yes\n", "line 2: suggested='cats' is not a class of the corpus; did you mean 'cat'?"),
        ("0.wav,dog,,yes\n", "line 2: suggested='' is not a class of the corpus"),
        ("0.wav,dog,cat,cat\n", "line 2: accept='cat'; expected yes, no, drop, or nothing"),
        ("1.wav,dog,cat,yes\n", "line 2: clip '1.wav' is labelled 'cat' in the corpus, not 'dog'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(corpus: Path, lines: str, said: str) -> None:
    with pytest.raises(TableError) as caught:
        read_overlay(overlay(corpus, lines), read(corpus / "clips.csv", CLIPS))
    assert f"labels.csv, {said}" in str(caught.value)


def test_a_missing_column_a_missing_table_and_another_scope(corpus: Path) -> None:
    clips = read(corpus / "clips.csv", CLIPS)
    with pytest.raises(TableError, match="column 'accept'"):
        read_overlay(overlay(corpus, "0.wav,dog\n", header="clip_id,suggested\n"), clips)
    with pytest.raises(TableError, match=r"nothing\.csv: no such file"):
        read_overlay(corpus / "nothing.csv", clips)
    with pytest.raises(SettingsError, match='overlay_scope="test": no such scope'):
        as_scope("test")


def test_changes_of_tested_clips_alone_are_said_to_have_no_effect(corpus: Path) -> None:
    clips = read(corpus / "clips.csv", CLIPS)
    parts = clips.assign(fold=["test", "test", "train", *["train"] * 5])
    write(parts, corpus / "clips.csv", CLIPS)
    notes = load_corpus("csv", corpus / "clips.csv", overlay=overlay(corpus, ROWS)).notes
    assert any("labels.csv names 1 clip that is tested alone" in line for line in notes)


def test_a_scan_records_the_changes_for_what_comes_after(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = overlay(corpus, ROWS)
    out = corpus / "scanned" / "clips.csv"
    said = command(app, "scan", "csv", corpus / "clips.csv", "--out", out, "--overlay", path, capsys=capsys)
    assert "in training alone" in said.out
    assert labels(read(out, CLIPS)) == labels(read(corpus / "clips.csv", CLIPS))
    changes = read_label_changes(out.parent)
    assert changes == LabelChanges("labels.csv", "training", {"0.wav": "cat"}, ("2.wav",))
    recorded = read_steps(out.parent)["corpus"]
    assert recorded["spec"]["label_changes"]["digest"] == changes.digest
    assert "labels.csv" in recorded["inputs"]
    again = load_corpus("csv", out)
    assert again.changes == changes
    wrong = command(app, "scan", "csv", corpus / "clips.csv", "--out", out, "--overlay-scope", "al", capsys=capsys)
    assert wrong.code != 0 and "overlay" in wrong.err and len(wrong.err.splitlines()) == 1
