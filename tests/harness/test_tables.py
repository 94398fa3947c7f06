"""The tables between the stages: types stay, broken ones are named, bytes come out the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness import tables
from harness.errors import TableError
from harness.tables import CLIPS, FAILURES, IMAGES, METRICS, PREDICTIONS, Schema

HEADER = "clip_id,path,label,fold,group,start_s,end_s\n"


def clips_file(folder: Path, text: str, *, header: str = HEADER) -> Path:
    path = folder / "clips.csv"
    path.write_text(header + text, encoding="utf-8")
    return path


def clip(clip_id: str, **more: object) -> dict[str, object]:
    return {"clip_id": clip_id, "path": f"/sounds/{clip_id}", **more}


def prediction(clip_id: str, **more: object) -> dict[str, object]:
    return {"clip_id": clip_id, "encoding": "gray", "predicted": "a", "p:b": 0.25, "p:a": 0.75, **more}


@pytest.mark.parametrize(
    "text", ["03", "1e5", "NA", "nan", "NULL", "None", "True", " padded ", 'a "b", c', "a\nb", "é"]
)
def test_text_stays_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clips.csv"
    tables.write(tables.frame([clip("a", label=text, fold=text, group=text)], CLIPS), path, CLIPS)
    got = tables.read(path, CLIPS)
    assert got[["label", "fold", "group"]].iloc[0].tolist() == [text] * 3


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = [
        0.1,
        1 / 3,
        6.66666667e-13,
        5e-324,
        1.7976931348623157e308,
        *(rng.random(50) * 10.0 ** rng.integers(-30, 1, 50)),
    ]
    rows = [prediction(f"{i}.wav", **{"p:a": value}) for i, value in enumerate(values)]
    tables.write(
        tables.frame([*rows, prediction("none.wav", **{"p:a": ""})], PREDICTIONS), tmp_path / "p.csv", PREDICTIONS
    )
    got = tables.read(tmp_path / "p.csv", PREDICTIONS)["p:a"]
    assert got[:-1].tolist() == values
    assert math.isnan(got.iloc[-1])


def test_types_in_a_file_by_hand(tmp_path: Path) -> None:
    got = tables.read(clips_file(tmp_path, "a.wav,a.wav,007,03,NA,1.5,\nb.wav,b.wav,,10,,,\n"), CLIPS)
    assert got["label"].tolist() == ["007", ""]
    assert got["fold"].tolist() == ["03", "10"]
    assert got["group"].tolist() == ["NA", ""]
    assert got["start_s"].dtype == got["end_s"].dtype == np.float64
    assert got["start_s"][0] == 1.5
    assert got[["start_s", "end_s"]].isna().to_numpy().tolist() == [[False, True], [True, True]]


def test_rows_may_leave_columns_out() -> None:
    got = tables.frame([clip("a"), clip("b", fold=3, start_s=1)], CLIPS)
    assert got.columns.tolist() == list(CLIPS.columns)
    assert got["fold"].tolist() == ["", "3"]
    assert got["start_s"].dtype == np.float64
    assert math.isnan(got["start_s"][0])


@pytest.mark.parametrize("schema", [CLIPS, IMAGES, PREDICTIONS, METRICS, FAILURES], ids=lambda s: s.name)
def test_an_empty_table_has_its_columns(tmp_path: Path, schema: Schema) -> None:
    path = tmp_path / schema.name
    tables.write(tables.frame([], schema), path, schema)
    assert path.read_text() == ",".join(schema.columns) + "\n"
    got = tables.read(path, schema)
    assert len(got) == 0
    assert all(got[column].dtype == np.float64 for column in schema.number)


def test_more_columns_are_dropped_and_order_is_fixed(tmp_path: Path) -> None:
    path = clips_file(tmp_path, "x,g,a.wav,1,l,2,,p\n", header="extra,group,clip_id,fold,label,end_s,start_s,path\n")
    got = tables.read(path, CLIPS)
    assert got.columns.tolist() == list(CLIPS.columns)
    assert got.iloc[0, :5].tolist() == ["a.wav", "p", "l", "1", "g"]


def test_a_byte_order_mark_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + "a,p,l,1,g,,\n").replace("\n", "\r\n").encode())
    assert tables.read(path, CLIPS)["clip_id"].tolist() == ["a"]


def test_bytes_are_stable(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    rows = [
        prediction("a,1", **{"p:a": 0.1 + 0.2, "p:b": 1e-300}),
        prediction('"', **{"p:a": 1 / 3, "p:b": float("nan")}),
    ]
    tables.write(tables.frame(rows, PREDICTIONS), one, PREDICTIONS)
    got = tables.read(one, PREDICTIONS)
    tables.write(got, two, PREDICTIONS)
    assert one.read_bytes() == two.read_bytes()
    assert b"\r" not in one.read_bytes()
    assert got["p:a"].tolist() == [0.1 + 0.2, 1 / 3], "full precision"


def test_score_columns_have_their_order_and_come_last(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    table = tables.frame([prediction("x")], PREDICTIONS)
    assert tables.score_columns(table) == ["p:b", "p:a"]
    tables.write(table[["p:b", "p:a", *PREDICTIONS.columns]], path, PREDICTIONS)
    got = tables.read(path, PREDICTIONS)
    assert got.columns.tolist() == [*PREDICTIONS.columns, "p:b", "p:a"]
    assert got["p:a"].tolist() == [0.75]
    assert got["seed"].tolist() == [""]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,p,l,1,g,,\nb,p,l,1,g,soon,\n", r"column 'start_s', row 3: 'soon' is not a number"),
        ("a,p,l,1,g,,\n,p,l,1,g,,\n", r"column 'clip_id' is empty in row 3"),
        ("a,,l,1,g,,\n", r"column 'path' is empty in row 2"),
        ("a,p,l,1,g,,\nb,p,l,1,g,,\na,q,l,1,g,,\n", r"two rows have clip_id='a'; each may be there once"),
        ("a,p,l,1,g,,,9\nb,q,l,1,g,,,9\n", r"the rows have more cells than the header, which names 7 columns"),
        ("a,p,l,1,g,,\nb,q,l,1,g,,,9\n", r"not a readable CSV \(.*line 3.*\)$"),
        ('a,"p', r"not a readable CSV"),
    ],
)
def test_a_broken_table_names_file_column_and_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TableError, match=rf"clips\.csv: {said}") as caught:
        tables.read(clips_file(tmp_path, text), CLIPS)
    assert "\n" not in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = clips_file(tmp_path, "a,p\n", header="clip_id,path\n")
    with pytest.raises(
        TableError, match=r"clips\.csv: column 'label' is missing; clips\.csv has clip_id, path, label,"
    ):
        tables.read(path, CLIPS)


def test_no_table_at_all(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    with pytest.raises(TableError, match=r"no such table; expected predictions\.csv .* p:<class> \.\.\.$"):
        tables.read(path, PREDICTIONS)
    path.write_text("")
    with pytest.raises(TableError, match=r"predictions\.csv: not a readable CSV"):
        tables.read(path, PREDICTIONS)
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(TableError, match=r"predictions\.csv: not a readable CSV"):
        tables.read(path, PREDICTIONS)


def test_a_score_that_is_no_number() -> None:
    with pytest.raises(TableError, match=r"column 'p:a', row 2: 'high' is not a number"):
        tables.frame([prediction("x", **{"p:a": "high"})], PREDICTIONS)


def test_doubled_keys_are_named_whole() -> None:
    rows = [prediction("x", seed=0), prediction("x", seed=1), prediction("x", seed=0)]
    with pytest.raises(TableError, match=r"two rows have clip_id='x', encoding='gray', module='', head='', seed='0'"):
        tables.frame(rows, PREDICTIONS)
    assert len(tables.frame(rows[:2], PREDICTIONS)) == 2


def test_a_broken_table_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "clips.csv"
    tables.write(tables.frame([clip("a")], CLIPS), path, CLIPS)
    before = path.read_bytes()
    with pytest.raises(TableError, match="clip_id='a'"):
        tables.write(pd.concat([tables.read(path, CLIPS)] * 2), path, CLIPS)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["clips.csv"]


def test_orders() -> None:
    assert tables.fold_order(["10", "9", "", "1", "9"]) == ["1", "9", "10"]
    assert tables.fold_order(["fold10", "fold2"]) == ["fold2", "fold10"]
    assert tables.class_order(["b", "", "a", "B", "a"]) == ["B", "a", "b"]


@pytest.mark.parametrize("schema", [CLIPS, IMAGES, PREDICTIONS, METRICS, FAILURES], ids=lambda s: s.name)
def test_schemas_hang_together(schema: Schema) -> None:
    assert set(schema.key) <= set(schema.text)
    assert set(schema.filled) <= set(schema.text)
    assert len(set(schema.columns)) == len(schema.columns)


def test_predictions_without_groups_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    table = tables.frame([prediction("x")], PREDICTIONS)
    table.drop(columns="group").to_csv(path, index=False)
    pd.testing.assert_frame_equal(tables.read(path, PREDICTIONS), table)
    with pytest.raises(TableError, match="column 'fold' is missing"):
        tables.check(table.drop(columns=["group", "fold"]), PREDICTIONS)


def test_schemas_are_those_of_the_contract() -> None:
    assert CLIPS.columns == tuple(HEADER.strip().split(","))
    assert IMAGES.columns == ("clip_id", "encoding", "path", "label", "fold", "group", "spec")
    names = ("clip_id", "encoding", "module", "head", "seed", "fold", "group", "copy_of", "label", "predicted")
    assert PREDICTIONS.columns == names
    assert METRICS.columns == ("encoding", "module", "head", "seed", "fold", "class", "metric", "value")
    assert FAILURES.columns == ("clip_id", "path", "step", "reason")


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    file = tmp_path / "clips.csv"
    file.write_text("clip_id,path,label,fold,group,start_s,end_s,label\na,a.wav,x,1,g,,,y\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"clips\.csv: the header names column 'label' twice"):
        tables.read(file, tables.CLIPS)


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    """As a spreadsheet writes them in German; a comma between thousands is no number."""
    schema = Schema("t.csv", text=("label",), number=("start_s",))
    file = tmp_path / "t.csv"
    file.write_text("label;start_s\na,b;-0,5\nc;1200\nd;1.25\ne;\n")
    table = tables.read(file, schema)
    assert table["label"].tolist() == ["a,b", "c", "d", "e"]
    assert table["start_s"].tolist()[:3] == [-0.5, 1200.0, 1.25]
    file.write_text("label;start_s\na;1.200,5\n")
    with pytest.raises(TableError, match=r"column 'start_s', row 2: '1.200,5' is not a number"):
        tables.read(file, schema)
