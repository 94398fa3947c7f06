"""Files of a store and of a run are damaged, emptied, lost or in each other's place: never a wrong number."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attack.support import damage, left_behind, swap, tables
from retrain_parts import small_module
from small_study import MERGES, write_corpus, write_study

import study
from harness import vectors
from harness.errors import SoundfoldError
from harness.hub.lite import WEIGHTS

_READ_WITHOUT_SCORES = ("heads", "indexes", "reduced", "vectors")
KINDS = (
    "converted",
    "digests",
    "duplicates",
    "fingerprints",
    "images",
    "modules",
    "peaks",
    "scores",
    *_READ_WITHOUT_SCORES,
)
WAYS = ("empty", "cut", "longer", "flip", "flip in the header", "lost")
LOUD = '[convert.loud]\nencoding = "logmel"\nref = "corpus"\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_yamnet: str) -> Iterator[Path]:
    """A finished study in ``run`` whose ``store`` has entries of every kind; ``small.toml``."""
    home = tmp_path_factory.mktemp("damaged")
    modules, more = [small_module(home / "tiny", idle=WEIGHTS[0]), tiny_yamnet], LOUD + MERGES
    write_study(
        home / "small.toml", write_corpus(home / "sounds"), modules, encodings='["gray", "waveform"]', more=more
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "_NEW_FILES", 1)  # an index from the first file on
        again(home, home / "run", home / "store")
        again(home, home / "run", home / "store")
        yield home


def again(home: Path, out: Path, store: Path) -> dict[str, bytes]:
    """The tables that the study gives there."""
    study.study(home / "small.toml", out=out, store=store, jobs=1)
    assert left_behind(out) == []
    return tables(out)


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def damaged(home: Path, tmp_path: Path, kind: str, how: str) -> Path:
    """A copy of the store, all its files of a kind damaged in one way."""
    store, rng = tmp_path / "store", random.Random(f"{kind} {how}")
    if not store.exists():
        shutil.copytree(home / "store", store)
    found = files(store / kind)
    assert found, f"the study put no {kind}"
    if how == "swap":
        for suffix in {p.suffix for p in found}:
            swap([p for p in found if p.suffix == suffix], rng)
        return store
    for path in found:
        if how == "lost":
            path.unlink()
        else:
            damage(path, how, rng)
    return store


def test_the_store_has_entries_of_every_kind(home: Path) -> None:
    assert set(KINDS) <= {p.name for p in (home / "store").iterdir()}


@pytest.mark.parametrize("how", ["flip", "swap"])
def test_all_files_of_a_store_at_once(home: Path, tmp_path: Path, how: str) -> None:
    for folder in sorted((home / "store").iterdir()):
        damaged(home, tmp_path, folder.name, how)
    assert again(home, tmp_path / "run", tmp_path / "store") == tables(home / "run")
    assert again(home, tmp_path / "run", tmp_path / "store") == tables(home / "run")


@pytest.mark.long
@pytest.mark.parametrize("how", [*WAYS, "swap"])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_one_kind(home: Path, tmp_path: Path, kind: str, how: str) -> None:
    store = damaged(home, tmp_path, kind, how)
    if kind in _READ_WITHOUT_SCORES:
        shutil.rmtree(store / "scores")
    assert again(home, tmp_path / "run", store) == tables(home / "run")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_in_the_place_of_an_entry_is_named(home: Path, tmp_path: Path, kind: str) -> None:
    store = tmp_path / "store"
    shutil.copytree(home / "store", store)
    victim = random.Random(kind).choice(files(store / kind))
    victim.unlink()
    victim.mkdir()
    try:
        again(home, tmp_path / "run", store)
    except OSError as error:
        assert error.filename == str(victim)
        victim.rmdir()
    assert again(home, tmp_path / "run", store) == tables(home / "run")


RUN_FILES = """
clips.csv predictions.csv metrics.csv run.json heads/*.npz images/images.csv images/run.json images/*/*/*.png
model/model.json model/variables/* model/saved_model.pb
""".split()


def rerun(home: Path, out: Path, victims: list[Path]) -> None:
    """The same tables; or one clear line that names a damaged file, and the same tables without that file."""
    for _ in range(len(victims) + 1):
        try:
            assert again(home, out, home / "store") == tables(home / "run")
            break
        except SoundfoldError as error:
            named = [path for path in victims if path.is_file() and str(path) in str(error)]
            if not named:  # a model without its card may be anybody's
                assert f"{out / 'model'}: holds files that are not a model" in str(error)
                shutil.rmtree(out / "model")
                continue
            named[0].unlink()
    else:
        raise AssertionError("it names one file after the other, and does not get on")
    assert {p.name: p.read_bytes() for p in files(out / "heads")} == {
        p.name: p.read_bytes() for p in files(home / "run" / "heads")
    }
    for name in ("images/gray", "images/stacked"):
        for path in files(home / "run" / name):
            assert (out / path.relative_to(home / "run")).read_bytes() == path.read_bytes()


def check_model(home: Path, out: Path) -> None:
    """The model scores a sound as the undamaged one does."""
    from labeler.loading import load_model

    sound = files(home / "sounds")[0]
    scores, expected = (load_model(run / "model").label(sound) for run in (out, home / "run"))
    assert scores.equals(expected)


@pytest.mark.parametrize("how", ["flip"])
def test_all_files_of_a_run_at_once(home: Path, tmp_path: Path, how: str) -> None:
    out = tmp_path / "run"
    shutil.copytree(home / "run", out)
    victims = [p for pattern in RUN_FILES for p in out.glob(pattern)]
    rng = random.Random(how)
    for path in victims:
        damage(path, how, rng)
    rerun(home, out, victims)


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("pattern", RUN_FILES)
def test_files_of_a_run(home: Path, tmp_path: Path, pattern: str, how: str) -> None:
    out, rng = tmp_path / "run", random.Random(f"{pattern} {how}")
    shutil.copytree(home / "run", out)
    victims = [p for p in out.glob(pattern) if p.is_file()]
    assert victims
    for path in victims:
        if how == "lost":
            path.unlink()
        else:
            damage(path, how, rng)
    rerun(home, out, victims)
    if pattern.startswith("model"):
        check_model(home, out)
