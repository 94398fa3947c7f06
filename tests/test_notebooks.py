"""Notebooks run from the first cell to the last, in a kernel of their own."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

from converter import ENCODINGS

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parents[1])}}).execute()
    images = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(images) >= 5, "an image for each encoding"


def test_there_is_one_cell_for_each_encoding() -> None:
    text = next(p for p in NOTEBOOKS if p.stem == "plotting_trials").read_text(encoding="utf-8")
    for name in ENCODINGS:
        assert f"show(sf.{ENCODINGS[name].__name__}(" in text
