"""``python -m benchmarks``: which benchmarks run, and what becomes of RESULTS.md. No test here measures anything."""

from __future__ import annotations

import ast
import json
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as program
from benchmarks import growth
from benchmarks.growth_steps import measured, table_steps
from benchmarks.results import ROOT, Section, circumstances, read_sections, write_sections
from benchmarks.tables import Table, number, ratio
from benchmarks.watched import Watched
from harness.errors import SettingsError

TABLE = Table("Speed, clips/s", ["", "clips/s", "ratio"], [["ours | new", 1234.5, ratio(4.0, 2.0)], ["usual", 2, None]])


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Put an answer in place of the benchmarks' processes; gives the commands that were run."""

    def install(*, tables: Sequence[Table] = (), missing: str = "", code: int = 0) -> list[list[str]]:
        commands: list[list[str]] = []

        def watch(words: list[str], **_: Any) -> Watched:
            commands.append(words)
            file = next(word.partition("=")[2] for word in words if word.startswith("--json="))
            if not code:
                answer = {"tables": [table.to_json() for table in tables], "missing": missing}
                Path(file).write_text(json.dumps(answer), encoding="utf-8")
            return Watched(seconds=3.0, peak_mb=50.0, code=code)

        monkeypatch.setattr(program, "watch", watch)
        return commands

    return install


# ---- tables


def test_numbers_have_three_digits() -> None:
    shown = [number(x) for x in (0.012345, 0.5, 1.2345, 12.345, 123.45, 12345.6, 8732, 0.0, None, "a", 0.999)]
    assert shown == ["0.0123", "0.500", "1.23", "12.3", "123", "12,346", "8,732", "0", "", "a", "0.999"]


def test_a_table_as_markdown_and_as_text() -> None:
    assert TABLE.markdown().splitlines() == [
        "**Speed, clips/s**",
        "",
        "|  | clips/s | ratio |",
        "| --- | ---: | ---: |",
        "| ours \\| new | 1,234 | 2.00x |",
        "| usual | 2 |  |",
    ]
    assert TABLE.text().splitlines()[-1].split() == ["usual", "2"]
    assert Table.from_json(json.loads(json.dumps(TABLE.to_json()))).markdown() == TABLE.markdown()


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 1 cells, expected 2"):
        Table("t", ["a", "b"], [["x"]])


# ---- sections


def test_sections_come_in_order_and_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    given = {name: Section(name, f"About {name}.\n\n### not a section") for name in ("b", "other", "a")}
    write_sections(path, given, ["a", "b", "c"])
    found = read_sections(path)
    assert list(found) == ["a", "b", "other"]
    assert found == {name: given[name] for name in found}


def test_the_circumstances_do_not_name_the_machine() -> None:
    text = circumstances(seconds=3.0, peak_mb=1234.0)
    assert "core" in text and "numpy" in text and "1,234 MB" in text
    name = platform.node()
    assert len(name) < 5 or name not in text  # a shorter one may be part of a word


# ---- the command


def test_every_benchmark_says_what_it_measures_and_can_be_run() -> None:
    for name in program.available():
        module = name.partition(".")[0]
        assert program.about(module).endswith((".", "?")), module
        tree = ast.parse((ROOT / "benchmarks" / f"{module}.py").read_text(encoding="utf-8"))
        assert "run" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, module


def test_benchmarks_are_chosen_by_name_or_part() -> None:
    assert program.chosen(["growth.store"]) == ["growth.store"]
    assert program.chosen(["growth", "convert"])[0] == "convert"
    assert {f"growth.{part}" for part in growth.PARTS} <= set(program.chosen(["growth"]))
    assert program.chosen([]) == program.available()
    with pytest.raises(SettingsError, match="'convrt': no such benchmark; did you mean 'convert'"):
        program.chosen(["convrt"])


def test_one_section_is_replaced_and_others_stay(tmp_path: Path, answers: Callable[..., list[list[str]]]) -> None:
    path = tmp_path / "RESULTS.md"
    write_sections(path, {"heads": Section("heads", "as it was")}, program.NAMES)
    commands = answers(tables=[TABLE])
    assert program.main(["convert", "growth.store", "--quick", "--out", str(path)]) == 0
    assert [words[2] for words in commands] == ["benchmarks.convert", "benchmarks.growth"]
    assert "--part=store" in commands[1] and "--quick" in commands[1]
    found = read_sections(path)
    assert list(found) == ["convert", "heads", "growth.store"]
    assert found["heads"].text == "as it was"
    assert TABLE.markdown() in found["convert"].text and "small sizes (--quick)" in found["convert"].text


def test_missing_data_is_said_but_does_not_replace_figures(
    tmp_path: Path, answers: Callable[..., list[list[str]]]
) -> None:
    path = tmp_path / "RESULTS.md"
    write_sections(path, {"heads": Section("heads", "as it was")}, program.NAMES)
    answers(missing="needs data/esc10")
    assert program.main(["convert", "heads", "--quick", "--out", str(path)]) == 0
    found = read_sections(path)
    assert "Not run: needs data/esc10." in found["convert"].text
    assert found["heads"].text == "as it was"


def test_a_benchmark_that_fails_changes_nothing(
    tmp_path: Path, answers: Callable[..., list[list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "RESULTS.md"
    answers(code=1)
    assert program.main(["convert", "--quick", "--out", str(path)]) == 1
    assert not path.exists()
    assert "failed, and their sections are as before: convert" in capsys.readouterr().err


def test_small_sizes_do_not_go_into_the_results() -> None:
    with pytest.raises(SettingsError, match="--quick measures small sizes"):
        program.main(["convert", "--quick"])


# ---- growth


def test_the_exponent_of_what_is_linear_is_one() -> None:
    found = {n: {"linear": (n / 1e6, 0.0), "square": (n**2 / 1e12, 0.0)} for n in (1000, 10_000, 100_000)}
    assert growth.exponent(found, "linear") == pytest.approx(1)
    assert growth.exponent(found, "square") == pytest.approx(2)
    seconds, memory = growth.tables_of("tables", found)
    assert list(seconds.columns) == ["", "1,000 clips", "10,000 clips", "100,000 clips", "exponent"]
    assert memory.rows[0][0] == "linear"


def test_the_steps_of_tables_run(tmp_path: Path) -> None:
    found = {name: seconds for name, seconds, _ in measured(table_steps(1000, tmp_path))}
    assert {"clips.csv: read", "predictions.csv: write", "images: splits of 10 folds"} <= set(found)
    assert min(found.values()) > 0


def test_sizes_are_numbers_of_clips() -> None:
    assert growth.sizes_of("1000,20000") == (1000, 20_000)
    with pytest.raises(Exception, match="expected numbers of clips from 1000 on"):
        growth.sizes_of("10")
