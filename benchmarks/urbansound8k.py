"""UrbanSound8K whole: a stand-in of the corpus, its study from nothing and again, and the old way for comparison.

    python benchmarks/urbansound8k.py [UrbanSound8K.csv] [--part 3] [--work FOLDER] [--module FOLDER]

Makes the stand-in once (``urban_sounds.py``: the real table, sounds from formulas), runs
``studies/urbansound8k.toml`` on it twice with a store of its own, and prints seconds, CPU and memory of each stage.
``--retrain`` trains a fold with ``retrain.py`` on the images afterwards. The old way (librosa and a matplotlib figure
for each image, features image by image, a scikit-learn fit for each fold and strength) is measured on a part and
scaled.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from convert import per_item, usual_recipe
from heads import STRENGTHS
from urban_sounds import make_corpus
from watched import Watched, watch

from harness.cli import guard, say
from harness.errors import SettingsError, SoundfoldError
from harness.hub import load, parse
from harness.hub.preprocess import read_image
from harness.record import read_shared_groups, read_steps
from harness.store import Store
from trainer.bottlenecks import image_features
from trainer.commands import retrain_commands
from trainer.inputs import read_encoding
from trainer.sgd import SgdSettings

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / "studies" / "urbansound8k.toml"
DRAWN, MERGED = 4, 2
FOLDS = 10
MOBILENET = "mobilenet_v2_100_224_imagenet"


def main() -> int:
    """Measure, and print tables."""
    options = parse_options()
    work = options.work
    started = time.monotonic()
    name = f"-part{options.part}" if options.part else ""
    table = make_corpus(options.metadata, work / f"corpus{name}", part=options.part)
    say(f"stand-in: {len(table)} clips, {table['fsID'].nunique()} recordings, {time.monotonic() - started:.0f} s")
    run, store = work / f"run{name}", work / f"store{name}"
    modules = ["builtin:scattering", str(options.module)]
    words = [
        sys.executable, str(ROOT / "study.py"), str(STUDY), "--out", str(run), "--store", str(store),
        "--set", f"corpus.root={work / f'corpus{name}'}", "--set", f"train.modules={json.dumps(modules)}",
        *(word for each in options.settings for word in ("--set", each)),
    ]  # fmt: skip
    if not options.again:
        for folder in (run, store):
            shutil.rmtree(folder, ignore_errors=True)
        first = measured(words)
        report("from nothing", first, run, store)
    second = measured(words)
    report("the second time", second, run, None)
    if options.retrain:
        retrain(run, store, options)
    if not options.skip_old_way:
        old = old_way(run, store, table, work / f"corpus{name}", modules)
        say(f"\nthe old way, measured on a part and scaled to {len(table)} clips\n{old}")
    return 0


def parse_options() -> argparse.Namespace:
    """The command line."""
    data = os.environ.get("SOUNDFOLD_TEST_DATA")
    shared = Path(data) if data else None
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    csv = shared / "data/urbansound8k/metadata/UrbanSound8K.csv" if shared else None
    parser.add_argument("metadata", nargs="?", type=Path, default=csv, help="UrbanSound8K.csv of the corpus")
    module = shared / "modules" / MOBILENET if shared else None
    parser.add_argument("--module", type=Path, default=module, help="SavedModel folder of MobileNet V2")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "urbansound8k", help="some 12 GB")
    parser.add_argument("--part", type=int, default=0, help="the first so many recordings of each fold; 0: all")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="for the study: section.key=value")
    parser.add_argument("--again", action="store_true", help="measure the second run only, on what is there")
    parser.add_argument("--retrain", action="store_true", help="train one fold with retrain.py, too")
    parser.add_argument("--skip-old-way", action="store_true")
    options = parser.parse_args()
    for name in ("metadata", "module"):
        if getattr(options, name) is None:
            raise SettingsError(f"{name}: give its path, or set SOUNDFOLD_TEST_DATA")
    options.work, options.module = options.work.resolve(), options.module.resolve()
    return options


def measured(words: list[str]) -> Watched:
    """Run the study and watch it."""
    say(f"\n{' '.join(words[1:3])}")
    found = watch(words)
    if found.code:
        raise SoundfoldError(f"the study ended with exit code {found.code}: {found.lines[-1][1]}")
    return found


def report(what: str, found: Watched, run: Path, store: Path | None) -> None:
    """Print seconds and memory by stage; of features and heads apart where `store` was empty at the start."""
    images, steps = read_steps(run / "images"), read_steps(run)
    stages = {
        "draw": images["convert"]["seconds"],
        "merge": images["merge"]["seconds"],
        "features and heads": steps["train"]["seconds"],
        "evaluation": steps["evaluate"]["seconds"],
    }
    say(f"\n{what}: {found.seconds:.1f} s, {found.cpu_s:.0f} s of CPU, {found.peak_mb:.0f} MB at most")
    for name, seconds in stages.items():
        say(f"  {name:24}{seconds:9.1f} s")
    if store:
        heads = heads_seconds(run, store)
        say(f"  {'of which heads':24}{heads:9.1f} s")
    say(f"  {'start, scan, model':24}{found.seconds - sum(stages.values()):9.1f} s")
    drawn = next((at for at, line in found.lines if line.startswith("images")), 0.0)
    say(f"  memory: {found.peak_until(0, drawn):.0f} MB drawing, {found.peak_until(drawn, found.seconds):.0f} MB after")


def heads_seconds(run: Path, store: Path) -> float:
    """Seconds in heads: from the last new feature vectors of a combination to the file of its heads."""
    vectors = np.sort([e.stat().st_mtime for folder in (store / "vectors").iterdir() for e in os.scandir(folder)])
    heads = [p.stat().st_mtime for p in (run / "heads").iterdir()]
    return float(sum(at - vectors[np.searchsorted(vectors, at) - 1] for at in heads))


def retrain(run: Path, store: Path, options: argparse.Namespace) -> None:
    """Train one fold with ``retrain.py``: seconds of its steps, its memory."""
    table = read_encoding(run / "images" / "images.csv", "logmel")
    shared = read_shared_groups(run / "images")
    with tempfile.TemporaryDirectory() as folder:
        commands = retrain_commands(
            table, str(options.module), folder, settings=SgdSettings(), store=str(store), shared=shared
        )
        fold, words = next(iter(commands.items()))
        found = watch([sys.executable, str(ROOT / "retrain.py"), *words[3:]], echo=False)
    if found.code:
        raise SoundfoldError(f"retrain.py ended with exit code {found.code}: {found.lines[-1][1]}")
    stamps = [m[1] for _, line in found.lines if (m := re.search(r"(\d{4}-\d\d-\d\d [\d:.]+): Step ", line))]
    first, last = (datetime.fromisoformat(stamps[k]) for k in (0, -1))
    say(f"\nretrain.py, fold {fold} of {len(table)} images, {SgdSettings().steps} steps, bottlenecks there already")
    say(f"  steps {(last - first).total_seconds():.1f} s, in all {found.seconds:.1f} s and {found.cpu_s:.1f} s of CPU,")
    say(f"  {found.peak_mb:.0f} MB at most; {next(line for _, line in found.lines if 'Final test' in line)}")


# ---- the old way


def old_way(run: Path, store: Path, table: pd.DataFrame, corpus: Path, modules: list[str]) -> str:
    """Lines of a table: seconds of the old way for the whole."""
    n = len(table)
    some = table.iloc[:: max(1, n // 12)]
    sounds = [corpus / "audio" / f"fold{r.fold}" / r.slice_file_name for r in some.itertuples()]
    seconds = {"draw": DRAWN * n * per_item(usual_recipe, sounds)}
    encodings = ["linear", "logmel", "gray", "waveform", "stacked", "merged"]
    features = fits = 0.0
    for handle in modules:
        module = load(parse(handle), store=Store(store))
        for encoding in encodings:
            files = [Path(p) for p in read_encoding(run / "images" / "images.csv", encoding)["path"]]
            files = files[:: max(1, len(files) // 8)]
            features += n * per_item(lambda file, m=module: m(read_image(file, m.info)[None]), files)
        fits += len(encodings) * one_fit(run, store, handle) * (FOLDS * (len(STRENGTHS) + 1))
    seconds |= {"features": features, "heads": fits}
    lines = [
        f"  {name:12}{value / 3600:8.1f} h" for name, value in [*seconds.items(), ("in all", sum(seconds.values()))]
    ]
    return "\n".join([*lines, f"  (not counted: merging, evaluation; {len(some)} clips drawn, 48 images a module,",
                      "  three fits a module on an eighth of the rows)"])  # fmt: skip


def one_fit(run: Path, store: Path, handle: str) -> float:
    """Seconds of one scikit-learn fit on nine tenths of the rows, scaled from an eighth; mean of three strengths."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = read_encoding(run / "images" / "images.csv", "logmel")
    part = table.iloc[:: 8 if len(table) > 2000 else 1]
    x = image_features([Path(p) for p in part["path"]], parse(handle), store=Store(store)).values
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for c in (STRENGTHS[0], STRENGTHS[len(STRENGTHS) // 2], STRENGTHS[-1]):
            make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x, part["label"])
    return (time.perf_counter() - started) / 3 * len(table) / len(part) * (FOLDS - 1) / FOLDS


if __name__ == "__main__":
    raise SystemExit(guard(main))
