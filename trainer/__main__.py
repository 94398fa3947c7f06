"""``python -m trainer``: fold folders, retrain.py commands, training in process, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli import command_app, main, say, warn

app = command_app(name="trainer", help="Train and test heads over folds, and export models.")

Images = Annotated[Path, typer.Option(help="The images.csv that the converter or merger wrote.", show_default=False)]
Encoding = Annotated[str, typer.Option(help="Encoding, as images.csv names it.", show_default=False)]
Module = Annotated[str, typer.Option(help="Module handle, or a SavedModel folder.")]
Out = Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Seed of the training.")]
Steps = Annotated[int, typer.Option(help="Steps of head sgd.")]
StoreDir = Annotated[str, typer.Option("--store", help="Folder of the store; default: the user's cache folder.")]
Shared = Annotated[bool, typer.Option("--allow-shared-groups", help="Go on although a group spans folds (a leak).")]
SCATTERING = "builtin:scattering"


@app.command()
def layout(images: Images, encoding: Encoding, out: Out, seed: Seed = 0, allow_shared_groups: Shared = False) -> None:
    """Lay out each fold's training and evaluation folders, by hard links."""
    from trainer.layout import lay_out, read_encoding

    for folder in lay_out(read_encoding(images, encoding), out, seed=seed, allow_shared=allow_shared_groups):
        say(str(folder))


@app.command()
def commands(
    images: Images,
    encoding: Encoding,
    out: Out,
    module: Module = SCATTERING,
    seed: Seed = 0,
    steps: Steps = 4000,
    store: StoreDir = "",
    allow_shared_groups: Shared = False,
    execute: Annotated[bool, typer.Option("--execute", help="Run them.")] = False,
    jobs: Annotated[int, typer.Option(help="With --execute: how many run at a time.")] = 1,
) -> None:
    """Print a retrain.py command for each fold, ready for a shell."""
    from harness.hub.handles import parse
    from trainer.commands import as_shell, execute_all, retrain_commands
    from trainer.layout import read_encoding
    from trainer.sgd import SgdSettings

    made = retrain_commands(
        read_encoding(images, encoding),
        parse(module),
        out,
        settings=SgdSettings(steps=steps),
        seed=seed,
        store=store,
        allow_shared=allow_shared_groups,
    )
    for words in made.values():
        say(as_shell(words))
    if execute:
        execute_all(made, jobs=jobs)


@app.command()
def run(
    images: Images,
    out: Out,
    encoding: Annotated[list[str] | None, typer.Option(help="Encoding; again for more. Default: all.")] = None,
    module: Annotated[list[str] | None, typer.Option(help="Module handle; again for more.")] = None,
    clips: Annotated[Path | None, typer.Option(help="The clips.csv, for modules that take the sound itself.")] = None,
    head: Annotated[str, typer.Option(help="lbfgs, or sgd as retrain.py trains.")] = "lbfgs",
    seed: Annotated[list[int] | None, typer.Option(help="Seed; again for more.")] = None,
    steps: Steps = 4000,
    store: StoreDir = "",
    allow_shared_groups: Shared = False,
) -> None:
    """Cross-validate in process: predictions.csv and each fold's head."""
    from harness.hub.handles import parse
    from harness.images import report_failures
    from harness.store import Store
    from harness.tables import FAILURES, IMAGES, read
    from trainer.crossvalidate import HeadSettings
    from trainer.layout import read_encoding, read_sounds
    from trainer.running import SOUND, STEP, combinations, train_all
    from trainer.sgd import SgdSettings

    names = encoding or list(dict.fromkeys(read(images, IMAGES)["encoding"]))
    tables = {name: read_encoding(images, name) for name in names}
    settings = HeadSettings(head, sgd=SgdSettings(steps=steps), allow_shared_groups=allow_shared_groups)
    modules, kept = [parse(handle) for handle in module or [SCATTERING]], Store(store or None)
    todo = combinations(names, modules, settings, seed or [0], store=kept)
    if any(c.encoding == SOUND for c in todo):
        tables[SOUND] = read_sounds(clips)
    outcome = train_all(tables, todo, settings, out, store=kept)
    for c in outcome.trained:
        rows = outcome.predictions[_same(outcome.predictions, c.named())]
        say(f"{c.encoding}  {c.module.handle}  seed {c.seed}  {100 * (rows.predicted == rows.label).mean():.1f} %")
    report_failures(out, outcome.failures, step=STEP)
    if len(outcome.failures):
        warn(f"{len(outcome.failures)} failures, listed in {Path(out) / FAILURES.name}")
        raise typer.Exit(1)


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a study, or of `trainer run`.")],
    encoding: Encoding,
    out: Out,
    fold: Annotated[str, typer.Option(help="The fold that the model does not know.", show_default=False)],
    module: Module = SCATTERING,
    head: Annotated[str, typer.Option(help="lbfgs or sgd.")] = "lbfgs",
    seed: Seed = 0,
    images: Annotated[Path | None, typer.Option(help="Folder of images.csv. Default: RUN/images.")] = None,
    store: StoreDir = "",
) -> None:
    """Make a model folder of one fold's head."""
    from harness.store import Store
    from trainer.export import export_fold

    named = {"encoding": encoding, "module": module, "head": head, "seed": str(seed)}
    folder = images or run_folder / "images"
    card = export_fold(run_folder, named, fold, out, images_folder=folder, store=Store(store or None))
    if card.takes == "image" and card.picture is None:
        warn(f"{folder} does not say how {encoding!r} was drawn: the model labels pictures, not sounds; see --images")
    say(str(out))


def _same(table: Any, named: dict[str, str]) -> Any:
    mask = table["clip_id"] != ""
    for column, value in named.items():
        mask &= table[column] == value
    return mask


def run_app() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run_app()
