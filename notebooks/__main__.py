"""Run notebooks from the first cell to the last and save their outputs: ``python -m notebooks [NAME ...]``.

They run in a folder and with a store that are thrown away, one after the other: a later one finds what an earlier one
has made. What is saved is small and the same on every machine: no progress on stderr, no times, no state of
widgets (their images are saved in place of them), images of few colours.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbclient
import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 300_000  # bytes of a saved notebook
WIDGET = "application/vnd.jupyter.widget-view+json"
_COLOURS = 128


def names() -> list[str]:
    """The notebooks, in the order in which a beginner opens them."""
    there = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    first = ["plotting_trials", "spectrum_settings", "visualize", "train", "fold_report"]
    return [*(name for name in first if name in there), *(name for name in there if name not in first)]


def executed(name: str, folder: Path, *, timeout: int = 3600) -> nbformat.NotebookNode:
    """Run a notebook in a folder; its outputs are as a person sees them.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell fails.
    """
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=timeout, record_timing=False, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return notebook


def cleaned(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook with the outputs that are saved."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata = {}
        cell.outputs = _joined([o for o in cell.outputs if o.get("name") != "stderr"])
        for output in cell.outputs:
            data = output.get("data", {})
            if data.pop(WIDGET, None) and "image/png" not in data:
                data["text/plain"] = "run the cell to see the widget"
            if "image/png" in data:
                data["image/png"] = _of_few_colours(data["image/png"])
    return notebook


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The outputs of a cell, what was printed in pieces as one."""
    found: list[nbformat.NotebookNode] = []
    for output in outputs:
        if found and output.output_type == "stream" == found[-1].output_type:
            found[-1].text += output.text
        else:
            found.append(output)
    return found


def check(notebook: nbformat.NotebookNode, name: str, private: Sequence[str]) -> None:
    """Refuse what must not be saved: paths of this machine, too many bytes."""
    text = nbformat.writes(notebook)
    found = [each for each in private if each in text]
    if found:
        raise ValueError(f"{name}: {found[0]!r} is in its outputs")
    if len(text.encode()) > LARGEST:
        raise ValueError(f"{name}: {len(text.encode())} bytes, expected {LARGEST} at most; draw smaller images")


def _of_few_colours(png: str) -> str:
    """A PNG, base64, as one with a palette."""
    opened = Image.open(io.BytesIO(base64.b64decode(png)), formats=["PNG"]).convert("RGB")
    data = io.BytesIO()
    opened.quantize(_COLOURS, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
    small = base64.b64encode(data.getvalue()).decode()
    return min(small, png.replace("\n", ""), key=len)


def main() -> None:
    """Run the notebooks that are named, or all, and save them."""
    parser = argparse.ArgumentParser(prog="python -m notebooks", description="Run notebooks and save their outputs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())}; default: all")
    parser.add_argument("--store", metavar="DIR", help="use this store, so that what it has is not computed again")
    arguments = parser.parse_args()
    asked = arguments.names or names()
    unknown = [name for name in asked if name not in names()]
    if unknown:
        parser.error(f"no notebook {unknown[0]!r}; available: {', '.join(names())}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        work.mkdir()
        os.environ["SOUNDFOLD_STORE"] = os.path.abspath(arguments.store or Path(folder) / "store")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        for name in asked:
            print(name, file=sys.stderr)
            notebook = cleaned(executed(name, work))
            check(notebook, name, [folder, str(ROOT), str(Path.home()), os.environ["SOUNDFOLD_STORE"]])
            nbformat.write(notebook, ROOT / "notebooks" / f"{name}.ipynb")


if __name__ == "__main__":
    main()
