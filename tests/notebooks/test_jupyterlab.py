"""A notebook opened in JupyterLab as a person would: its cells run, sliders move, the image follows, sound plays."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300_000  # ms; what a loaded machine may take
PLAYED = """a => new Promise((done, failed) => {
  a.addEventListener('timeupdate', () => a.currentTime > 0.05 && done(a.currentTime));
  a.play().catch(failed);
})"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab server on a copy of the notebooks: its address and the folder."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    home = tmp_path_factory.mktemp("lab")
    work = home / "work"
    shutil.copytree(ROOT / "notebooks", work, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    own = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    store = str(tmp_path_factory.getbasetemp() / "store")
    words = ["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", "--IdentityProvider.token="]
    words += [f"--ServerApp.root_dir={work}", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    news = home / "JUPYTER_CONFIG_DIR/lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')  # else it asks whether it may
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *words],
            env={**os.environ, **own, "PYTHONPATH": python, "SOUNDFOLD_STORE": store},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.stderr is not None
        for line in server.stderr:
            log.write(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if found:
                break
        else:
            pytest.fail((home / "log").read_text()[-2000:])
        yield found[0], work
        server.terminate()
        server.communicate()


def run_all(page: Any, address: str, name: str) -> None:
    """Open a notebook and choose Run All Cells in the menu."""
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}lab/tree/{name}.ipynb")
    page.locator(".jp-NotebookPanel .jp-Cell").first.wait_for()
    page.get_by_text(re.compile(r"\| Idle")).first.wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


@pytest.mark.long  # half a minute: a server, a browser and a kernel are started
def test_sliders_move_the_image_follows_and_sound_plays(browser: Any, lab: tuple[str, Path]) -> None:
    address, work = lab
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    run_all(page, address, "spectrum_settings")
    sliders = page.locator(".widget-hslider")
    sliders.first.wait_for()
    assert sliders.count() == 8
    image = page.locator("img.widget-image").first
    before = image.get_attribute("src")
    page.locator(".widget-hslider", has_text="n_mels").locator(".noUi-handle").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("([shown, before]) => shown.src !== before", arg=[image.element_handle(), before])
    page.locator(".widget-readout", has_text="88").wait_for()
    assert page.locator(".jp-OutputArea audio").first.evaluate(PLAYED) > 0
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("spectrum.csv saved").wait_for()
    assert (work / "spectrum.csv").read_text().splitlines()[1].split(",")[3] == "88"
    page.locator(".widget-dropdown select").first.select_option("waveform")
    page.locator(".widget-hslider", has_text="n_mels").locator(".noUi-target[disabled]").wait_for()
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']").count() == 0
    page.close()
