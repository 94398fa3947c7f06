"""The examples of docs/extending.md, run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from small_study import RATE, command, sound

import study
from converter.__main__ import app as converter_app
from corpora.__main__ import app as corpora_app
from harness.audio import write_wav
from harness.tables import CLIPS, IMAGES, PREDICTIONS, read
from merger.__main__ import app as merger_app
from trainer.__main__ import app as trainer_app

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
APPS = {
    "python -m converter": converter_app,
    "python -m corpora": corpora_app,
    "python -m merger": merger_app,
    "python -m trainer": trainer_app,
    "python study.py": study.app,
}
SITES, SPECIES = ("brook", "field", "hill", "marsh", "wood"), {"wren": "chirp", "owl": "hum"}


def blocks(language: str) -> list[str]:
    """Code blocks of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files, and recordings as the example's corpus has them."""
    home = tmp_path_factory.mktemp("extending")
    for text in [*blocks("python"), *blocks("toml")]:
        name = re.match(r"# (\S+)\n", text)
        if name:
            (home / name[1]).write_text(text, encoding="utf-8")
    for k, site in enumerate(SITES):
        for species, kind in SPECIES.items():
            for take in range(2):
                write_wav(home / "recordings" / f"{site}_{species}_{take}.wav", sound(kind, 10 * k + take), RATE)
    return home


def test_every_command_of_the_page_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    assert len(lines) == 5
    order = ("corpora", "converter", "merger", "trainer", "study")
    for line in sorted(lines, key=lambda line: next(k for k, name in enumerate(order) if name in line)):
        start = next(words for words in APPS if line.startswith(words))
        said = command(APPS[start], *shlex.split(line.removeprefix(start)), capsys=capsys)
        assert said.code == 0, f"{line}\n{said.err}"
    clips = read(home / "clips.csv", CLIPS)
    assert set(clips["label"]) == set(SPECIES)
    assert set(clips["group"]) == set(SITES)
    assert set(read(home / "images" / "images.csv", IMAGES)["encoding"]) == {"gray", "waveform", "mel_change", "both"}
    assert set(read(home / "run" / "predictions.csv", PREDICTIONS)["module"]) == {"grid:8"}
    scored = read(home / "runs" / "my_study" / "predictions.csv", PREDICTIONS)
    assert set(scored["module"]) == {"builtin:scattering", "grid:8"}
    assert set(scored["encoding"]) == {"gray", "mel_change", "both"}


def test_an_example_of_each_kind_is_there() -> None:
    names = {match[1] for text in blocks("python") if (match := re.match(r"# (\S+)\n", text))}
    assert names == {"my_encodings.py", "my_merges.py", "my_corpora.py", "my_modules.py"}
