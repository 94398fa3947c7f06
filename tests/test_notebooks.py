"""Notebooks run from the first cell to the last, in a kernel of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path) -> None:
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parents[1])}}).execute()
    pictures = [o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert len(pictures) >= 5, "a picture for each encoding"


def test_there_is_one_cell_for_each_encoding() -> None:
    from converter.registry import encoding_names

    text = next(p for p in NOTEBOOKS if p.stem == "plotting_trials").read_text(encoding="utf-8")
    for name in encoding_names():
        assert f'show(\\"{name}\\"' in text
