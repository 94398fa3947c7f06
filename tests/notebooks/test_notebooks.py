"""Every notebook runs from the first cell to the last, in a kernel of its own, and what is saved is what it gives."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from converter import ENCODINGS
from notebooks.__main__ import LARGEST, ROOT, WIDGET, cleaned, executed, names

PRIVATE = re.compile(r"/(tmp|home|root|work|Users|mnt)/|site-packages|[A-Z]:\\\\")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the notebooks run, one after the other: they share a study."""
    return tmp_path_factory.mktemp("notebooks")


def saved(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def kinds(notebook: nbformat.NotebookNode) -> list[list[tuple[str, str]]]:
    """What each cell shows: the kind of each output, and what is in it."""
    return [
        [(o.output_type, o.get("name") or " ".join(sorted(o.data))) for o in cell.get("outputs", [])]
        for cell in notebook.cells
    ]


@pytest.mark.parametrize("name", names())
def test_runs_and_shows_what_is_saved(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    done = executed(name, home, timeout=120)
    said = "".join(o.text for o in outputs(done) if o.get("name") == "stderr")
    assert not re.search("Warning|Traceback|error", said), said
    assert kinds(cleaned(done)) == kinds(saved(name))


@pytest.mark.parametrize("name", names())
def test_what_is_saved_is_small_and_of_no_machine(name: str) -> None:
    path = ROOT / "notebooks" / f"{name}.ipynb"
    notebook = saved(name)
    assert path.stat().st_size <= LARGEST
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "python -m notebooks was not run"
    for output in outputs(notebook):
        assert WIDGET not in output.get("data", {})
        for key, text in [*output.get("data", {}).items(), ("text", output.get("text", ""))]:
            assert key == "image/png" or not PRIVATE.search(str(text).partition("base64,")[0])


def test_there_is_one_cell_for_each_of_five_encodings_and_one_for_all() -> None:
    notebook = saved("plotting_trials")
    for name in ("linear", "logmel", "gray", "waveform", "mel_power"):
        assert any(cell.source.startswith(f"show(sf.{ENCODINGS[name].__name__}(") for cell in notebook.cells)
    assert "for name in names" in notebook.cells[-1].source or "zip(panels.flat, names" in notebook.cells[-1].source


def test_the_alarm_sounds_by_itself() -> None:
    html = "".join(output.get("data", {}).get("text/html", "") for output in outputs(saved("train")))
    assert "<audio controls autoplay src=" in html


def test_prose_comes_before_code_and_cells_are_short() -> None:
    for name in names():
        cells = saved(name).cells
        assert cells[0].cell_type == "markdown"
        assert cells[0].source.startswith("# ")
        longest = max(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")
        assert longest <= 22, name
