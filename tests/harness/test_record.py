"""run.json: every step that wrote into a folder, each once."""

from __future__ import annotations

import json
import shlex
import sys
import time
from datetime import datetime
from importlib import metadata
from pathlib import Path

import pytest

from harness import record
from harness.errors import TableError
from harness.record import copy_step, read_shared_groups, read_steps, record_step, step_of
from harness.shared_groups import SharedGroups


def test_a_step_says_what_it_ran_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["study.py", "--out", "my run"])
    started = time.monotonic() - 2
    record.record_step(tmp_path, "convert", spec={"n_mels": 128}, inputs={"clips.csv": "ab"}, seed=3, started=started)
    whole = json.loads((tmp_path / "run.json").read_text())
    step = whole["steps"]["convert"]
    assert whole["schema"] == record.SCHEMA_VERSION
    assert step["spec"] == {"n_mels": 128}
    assert step["inputs"] == {"clips.csv": "ab"}
    assert step["seed"] == 3
    assert step["command"] == "python study.py --out 'my run'"
    assert 2 <= step["seconds"] < 60
    assert datetime.fromisoformat(step["finished"]).tzinfo is not None
    assert step["versions"]["numpy"] == metadata.version("numpy")


def test_steps_stay_and_replace_themselves(tmp_path: Path) -> None:
    for step, spec in (("convert", {"a": 1}), ("merge", {"b": 2}), ("convert", {"a": 3})):
        record.record_step(tmp_path, step, spec=spec)
    steps = record.read_steps(tmp_path)
    assert {name: step["spec"] for name, step in steps.items()} == {"convert": {"a": 3}, "merge": {"b": 2}}
    assert steps["merge"]["seconds"] is None
    assert steps["merge"]["seed"] is None


def test_no_record_no_steps(tmp_path: Path) -> None:
    assert record.read_steps(tmp_path) == {}


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(TableError, match=r"run\.json: not readable .* remove it to start afresh"):
        record.record_step(tmp_path, "convert", spec={})
    (tmp_path / "run.json").write_text('{"schema": 99, "steps": {}}')
    with pytest.raises(TableError, match=r"run\.json: schema 99, expected 1; written by another version"):
        record.read_steps(tmp_path)
    for damaged in ('"stepz": {}', '"steps": []', '"steps": {"train": 3}'):
        (tmp_path / "run.json").write_text(f'{{"schema": 1, {damaged}}}')
        with pytest.raises(TableError, match=r"run\.json: damaged, 'steps' .* remove it to start afresh"):
            record.read_steps(tmp_path)


@pytest.mark.parametrize(
    ("argv", "typed"),
    [
        (["/x/trainer/__main__.py", "run", "a b"], ["python", "-m", "trainer", "run", "a b"]),
        (["retrain.py", "--image_dir", "it's"], ["python", "retrain.py", "--image_dir", "it's"]),
        (["/bin/soundfold", "study"], ["/bin/soundfold", "study"]),
        (["soundfold study", "--out", "a b"], ["soundfold", "study", "--out", "a b"]),
    ],
)
def test_the_command_can_be_typed_again(argv: list[str], typed: list[str]) -> None:
    assert shlex.split(record.command_line(argv)) == typed


def test_the_dispatcher_puts_no_words_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["/bin/python", "/bin/soundfold", "evaluate", "my run"])
    monkeypatch.setattr(sys, "argv", ["soundfold evaluate", "report", "my run"])
    assert record.command_line() == "soundfold evaluate 'my run'"


def test_versions_name_what_can_change_a_figure() -> None:
    found = record.versions()
    assert found["python"] == sys.version.split()[0]
    assert {"numpy", "scipy", "soxr", "pillow", "tensorflow"} <= set(found)


def test_the_record_of_a_step_travels_to_what_is_made_of_it(tmp_path: Path) -> None:
    source, folder = tmp_path / "a", tmp_path / "b"
    record_step(source, "corpus", spec={"shared_groups": "drop", "exceptions": {"77751": ["2", "7"]}, "notes": ["n"]})
    record_step(folder, "convert", spec={"size": 3})
    copy_step(source, folder, "corpus")
    assert read_steps(folder) == {**read_steps(source), "convert": step_of(folder, "convert")}
    assert read_shared_groups(folder) == SharedGroups("drop", {"77751": ("2", "7")})
    assert read_shared_groups(folder, "allow").policy == "allow"
    copy_step(folder, folder, "corpus")
    assert step_of(folder, "corpus")
    copy_step(tmp_path / "nowhere", folder, "corpus")
    assert list(read_steps(folder)) == ["convert"], "an old copy goes"


def test_a_run_json_that_is_not_ours_says_nothing(tmp_path: Path) -> None:
    for text in ("[1, 2]", '{"loss": 0.1}', "{"):
        (tmp_path / "run.json").write_text(text, encoding="utf-8")
        assert step_of(tmp_path, "corpus") == {}
        assert read_shared_groups(tmp_path) == SharedGroups()
