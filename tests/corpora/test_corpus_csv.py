"""Any CSV: columns by name, paths, separators, errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from corpora.loading import load
from harness.errors import SettingsError, TableError

Tone = Callable[..., Path]
Sheet = Callable[..., Path]


def test_columns_are_named(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "wavs" / "a.wav", seconds=1.0)
    row = {"file": "wavs/a.wav", "species": "03", "site": "north", "part": "02", "from": "0.5", "to": "0.75"}
    columns = {"path": "file", "label": "species", "group": "site", "fold": "part", "start_s": "from", "end_s": "to"}
    table = load("csv", sheet(tmp_path / "c.csv", [row]), columns=columns)
    assert table.iloc[0].to_dict() == {
        "clip_id": "a.wav@0.5",
        "path": str(tmp_path / "wavs" / "a.wav"),
        "label": "03",
        "fold": "02",
        "group": "north",
        "start_s": 0.5,
        "end_s": 0.75,
    }


def test_missing_column_is_named_with_what_there_is(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    file = sheet(tmp_path / "c.csv", [{"file": "a.wav", "kind": "bat"}])
    with pytest.raises(TableError, match=r"c\.csv: column 'path' \(path\) is missing; available: file, kind"):
        load("csv", file)
    with pytest.raises(TableError, match=r"column 'knd' \(label\) is missing; did you mean 'kind'"):
        load("csv", file, columns={"path": "file", "label": "knd"})


def test_absolute_paths_and_other_folders(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    far = tone(tmp_path / "far" / "a.wav")
    near = tone(tmp_path / "b.wav")
    table = load("csv", sheet(tmp_path / "tables" / "c.csv", [{"path": far}, {"path": "../b.wav"}]))
    assert table["path"].tolist() == [str(far), str(near)]


@pytest.mark.parametrize(
    "text", ["path;label\nx\\a.wav;bat\n", "\ufeffpath,label\nx/a.wav,bat\n", "path\tlabel\nx/a.wav\tbat\n"]
)
def test_spreadsheets_of_several_kinds(tmp_path: Path, tone: Tone, text: str) -> None:
    tone(tmp_path / "x" / "a.wav")
    file = tmp_path / "c.csv"
    file.write_text(text, encoding="utf-8")
    assert load("csv", file)[["clip_id", "label"]].to_numpy().tolist() == [["a.wav", "bat"]]


def test_clip_named_twice(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "a.wav")
    file = sheet(tmp_path / "c.csv", [{"path": "a.wav"}, {"path": "a.wav"}])
    with pytest.raises(TableError, match=r"c\.csv: two rows have clip_id='a\.wav'"):
        load("csv", file)


def test_cells_that_cannot_be(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    tone(tmp_path / "a.wav")
    with pytest.raises(TableError, match=r"column 'path' is empty in row 3"):
        load("csv", sheet(tmp_path / "c.csv", [{"path": "a.wav", "label": "x"}, {"path": "", "label": "x"}]))
    with pytest.raises(TableError, match=r"a\.wav: start_s='soon' is not a number"):
        load("csv", sheet(tmp_path / "d.csv", [{"path": "a.wav", "start_s": "soon"}]))


def test_a_folder_is_not_a_csv(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a folder; the corpus 'csv' takes the CSV file itself"):
        load("csv", tmp_path)
    with pytest.raises(TableError, match=r"nowhere\.csv: no such file; expected a CSV with columns path"):
        load("csv", tmp_path / "nowhere.csv")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(TableError, match=r"empty\.csv: not a readable CSV"):
        load("csv", tmp_path / "empty.csv")
