"""Every table reads back as it was given, and holds no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import os
import random
import re
import sys
from pathlib import Path

import pandas as pd
import pytest
from small_study import RATE, sound

from corpora.loading import load_corpus, missing_files
from corpora.scanning import scan_to_table
from evaluator.tables import write_csv
from harness import tables
from harness.audio import digest, write_wav
from harness.cells import csv_line
from harness.errors import AudioError
from harness.tables import CLIPS, DUPLICATES, FAILURES, IMAGES, METRICS, PREDICTIONS, Schema
from labeler.scanning import SCORES

LETTERS = "=+-@'\t\r\n\",; aéü音\\|0\x01\x7f\u2028\x85\ufeffN/A＝"
RUN_BY_SPREADSHEETS = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
SCHEMAS = (CLIPS, IMAGES, PREDICTIONS, FAILURES, DUPLICATES, METRICS, SCORES)


def some_text(rng: random.Random, least: int) -> str:
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(least, 7)))


def some_table(schema: Schema, rng: random.Random) -> pd.DataFrame:
    n = rng.randint(1, 5)
    table = pd.DataFrame({c: [some_text(rng, c in schema.filled) for _ in range(n)] for c in schema.text})
    if schema.key:
        table[schema.key[0]] = [f"{some_text(rng, 0)}{k}{some_text(rng, 0)}" for k in range(n)]
    table = table.assign(**dict.fromkeys(schema.number, -1.5))
    if schema.scores:
        table = table.assign(**{f"p:{some_text(rng, 0)}{k}": -0.5 for k in range(3)})
    return tables.check(table, schema)


def raw_cells(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.name)
def test_15_and_21_every_table_reads_back_and_runs_nothing(tmp_path: Path, schema: Schema) -> None:
    rng, path = random.Random(schema.name), tmp_path / schema.name
    for _ in range(6):
        table = some_table(schema, rng)
        tables.write(table, path, schema)
        pd.testing.assert_frame_equal(tables.read(path, schema), table)
        numbers = {*schema.number, *tables.score_columns(table)}
        for row in raw_cells(path):
            text = [cell for cell, name in zip(row, table.columns, strict=True) if name not in numbers]
            assert not any(map(RUN_BY_SPREADSHEETS.match, text))


def test_21_tables_for_people_run_nothing_in_their_headers_either(tmp_path: Path) -> None:
    table = pd.DataFrame([["=1+1", -0.5, None]], columns=["encoding", "@SUM(A1)", "-2\r3"])
    write_csv(table, tmp_path / "recall.csv")
    assert raw_cells(tmp_path / "recall.csv") == [["encoding", "'@SUM(A1)", "'-2\r3"], ["'=1+1", "-0.5", ""]]
    assert csv_line(["+a", "b\rc"], ["-0.25"]) == '\'+a,"b\rc",-0.25'


def test_21_a_clips_table_is_a_corpus_again(tmp_path: Path) -> None:
    names = ["=1+1.wav", "-rf.wav", "'=x.wav", "@a.wav", "a\rb.wav", "plain.wav"]
    for number, name in enumerate(names):
        write_wav(tmp_path / "sounds" / "=class" / name, sound("hum", number), RATE)
    first = scan_to_table("folders", tmp_path / "sounds", out=tmp_path / "clips.csv").clips
    assert sorted(first["clip_id"]) == sorted(names)
    again = scan_to_table("csv", tmp_path / "clips.csv", out=tmp_path / "again.csv").clips
    assert again["clip_id"].tolist() == first["clip_id"].tolist()
    assert again["path"].tolist() == first["path"].tolist()
    assert set(again["label"]) == {"=class"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_15_names_that_no_table_can_have_fail_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "sounds" / "hum"
    write_wav(folder / "good.wav", sound("hum", 1), RATE)
    (folder / "itself.wav").symlink_to("itself.wav")
    (folder / "up").symlink_to("..")
    (folder / "one").symlink_to("other")
    (folder / "other").symlink_to("one")
    os.mkfifo(folder / "pipe.wav")
    (folder / ("y" * 251 + ".wav")).write_bytes((folder / "good.wav").read_bytes())
    os.rename(folder / "good.wav", os.fsencode(folder) + b"/caf\xe9.wav")
    found = load_corpus("folders", tmp_path / "sounds")
    failures = missing_files(found.clips).set_index("clip_id")["reason"].to_dict()
    assert failures == {
        r"caf\udce9.wav": "its name is not UTF-8, so that no table can have it; rename it",
        "itself.wav": "no such file",
        "pipe.wav": "is not a regular file",
    }
    tables.write(found.clips, tmp_path / "clips.csv", CLIPS)
    assert len(tables.read(tmp_path / "clips.csv", CLIPS)) == 4


@pytest.mark.parametrize("name", ["z" * 300 + ".wav", "a\0b.wav", "x/" * 2500 + "y.wav"])
def test_15_a_path_that_no_file_can_have_is_named(name: str) -> None:
    with pytest.raises(AudioError, match=r"name too long|null byte"):
        digest(name)
