"""ESC-10 whole: six encodings, two modules, five folds; from nothing, again, and with one thing more.

    python -m benchmarks.esc10 [--module FOLDER] [--part study | changes]

Runs ``studies/esc10.toml`` into an empty store, once more without its report, so that every stage looks for what it has
made, once more with nothing changed, and then with one more encoding, seed or module, or another head; each on top of
the finished study. "Own cost" is what such a run takes longer than one that finds everything but the report; "alone" is
a study of that thing alone in an empty store, less what it takes to find everything. The
usual way (librosa and a matplotlib figure for each image, features image by image, a scikit-learn fit for each fold and
strength) is measured on a part and scaled.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.command import data_folder, main
from benchmarks.results import ROOT
from benchmarks.studies import Taken, go_through_again, run_study, stage_table, usual_way
from benchmarks.tables import Cell, Table, ratio
from harness.tables import CLIPS, read_located

STUDY = ROOT / "studies" / "esc10.toml"
FOLDS = 5
MOBILENET, YAMNET = "modules/mobilenet_v2_100_224_imagenet", "modules/yamnet_waveform_audioset"
DRAWN = ["linear", "logmel", "gray", "waveform"]


def run(options: argparse.Namespace) -> Iterator[Table]:
    """Measure the study, then the changes."""
    folder = options.work / "esc10"
    shutil.rmtree(folder, ignore_errors=True)
    settings = base_settings(options)
    first = run_study(STUDY, folder / "run", folder / "store", settings)
    if options.part in ("", "study"):
        yield study_table(folder, settings, first)
    if options.part in ("", "changes"):
        yield changes_table(folder, settings, options)
    shutil.rmtree(folder)


def study_table(folder: Path, settings: dict[str, str], first: Taken) -> Table:
    """The study from nothing and again, against the usual way."""
    modules = json.loads(settings["train.modules"])
    second = go_through_again(STUDY, folder / "run", folder / "store", settings)
    unchanged = run_study(STUDY, folder / "run", folder / "store", settings)
    clips = read_located(folder / "run" / "clips.csv", CLIPS)
    sounds = [Path(p) for p in clips["path"]]
    usual = usual_way(folder / "run", folder / "store", sounds, modules, folds=FOLDS)
    title = f"{len(sounds)} clips, 6 encodings, {len(modules)} modules, {FOLDS} folds"
    return stage_table(title, first, second, usual, unchanged=unchanged)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--part", choices=["", "study", "changes"], default="", help="one table; default: both")
    parser.add_argument("--module", type=Path, help="an image module; default: MobileNet V2 of the data folder")


def base_settings(options: argparse.Namespace) -> dict[str, str]:
    """Settings of the study: corpus and modules as local folders; with ``--quick`` two classes."""
    module = options.module or data_folder(options, MOBILENET)
    settings = {
        "corpus.root": str(data_folder(options, "data/esc10")),
        "train.modules": json.dumps(["builtin:scattering", str(module.resolve())]),
    }
    if options.quick:
        settings["corpus.classes"] = json.dumps(["dog_bark", "rain"])
        settings["train.modules"] = json.dumps(["builtin:scattering"])
    return settings


def changes(settings: dict[str, str], options: argparse.Namespace) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """What is changed, by name: settings of the whole study, and of a study of that thing alone."""
    modules = json.loads(settings["train.modules"])
    fine = '{encoding = "logmel", n_mels = 224}'
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "one more encoding": (
            {"convert.logmel_fine": fine, "convert.encodings": json.dumps([*DRAWN, "logmel_fine"])},
            {"convert.logmel_fine": fine, "convert.encodings": '["logmel_fine"]', "merge": "{}"},
        ),
        "one more seed, head sgd": ({"train.head": "sgd", "train.seeds": "[0, 1]"}, {}),
        "another head (sgd)": ({"train.head": "sgd"}, {}),
    }
    yamnet = Path(options.data or "") / YAMNET
    if yamnet.is_dir():
        more = {"train.modules": json.dumps([*modules, str(yamnet.resolve())])}
        alone = {"train.modules": json.dumps([str(yamnet.resolve())]), "convert.encodings": "[]", "merge": "{}"}
        found["one more module (YAMNet)"] = (more, alone)
    # the head first, so that the seed is one more of it
    order = ("one more encoding", "another head (sgd)", "one more seed, head sgd", "one more module (YAMNet)")
    return {name: found[name] for name in order if name in found}


def changes_table(folder: Path, settings: dict[str, str], options: argparse.Namespace) -> Table:
    """Each change on top of the finished study, and alone in an empty store."""
    rows: list[list[Cell]] = []
    for k, (name, (more, alone)) in enumerate(changes(settings, options).items()):
        changed, again = _with_and_without(folder, {**settings, **more})
        own = changed.watched.seconds - again.watched.seconds
        by_itself = None
        if alone:
            place = folder / f"alone{k}"
            one, two = _with_and_without(place, {**settings, **alone})
            by_itself = one.watched.seconds - two.watched.seconds
        rows.append([name, changed.watched.seconds, own, by_itself, ratio(own, by_itself), *new_of(changed)])
    columns = ["", "s", "own cost, s", "alone, s", "own/alone", "new images", "new vectors", "new files of heads"]
    return Table("The finished study with one thing changed", columns, rows)


def _with_and_without(folder: Path, settings: dict[str, str]) -> tuple[Taken, Taken]:
    """A run with something new, and one that goes through every stage and finds it all."""
    place = (STUDY, folder / "run", folder / "store", settings)
    return run_study(*place), go_through_again(*place)


def new_of(taken: Taken) -> list[Cell]:
    """What a run has made that was not there."""
    return [taken.counts[kind] for kind in ("images", "vectors", "heads")]


if __name__ == "__main__":
    main(run, __doc__, arguments)
