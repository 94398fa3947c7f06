"""``python -m trainer``: fold folders, retrain.py commands, training in process, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import harness
import trainer
from harness.cli import PluginFiles, command_app, main, say, warn

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


def _flag(name: str) -> str:
    """A setting's name as it is typed."""
    return f"--{name}"


@app.command()
def layout(images: Images, encoding: Encoding, out: Out, seed: Seed = 0, allow_shared_groups: Shared = False) -> None:
    """Lay out each fold's training and evaluation folders, by hard links."""
    table = trainer.read_encoding(images, encoding)
    for folder in trainer.lay_out(table, out, seed=seed, allow_shared=allow_shared_groups):
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
    plugin: PluginFiles = None,
    execute: Annotated[bool, typer.Option("--execute", help="Run them.")] = False,
    jobs: Annotated[int, typer.Option(help="With --execute: how many run at a time.")] = 1,
) -> None:
    """Print a retrain.py command for each fold, ready for a shell."""
    made = trainer.retrain_commands(
        trainer.read_encoding(images, encoding),
        module,
        out,
        settings=trainer.SgdSettings.read({"steps": steps}, name_of=_flag),
        seed=seed,
        store=store,
        allow_shared=allow_shared_groups,
        plugins=plugin or [],
    )
    for words in made.values():
        say(trainer.as_shell(words))
    if execute:
        trainer.execute_all(made, jobs=jobs)


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
    plugin: PluginFiles = None,
) -> None:
    """Cross-validate in process: predictions.csv and each fold's head."""
    sgd = trainer.SgdSettings.read({"steps": steps}, name_of=_flag)
    values = {"head": head, "sgd": sgd, "allow_shared_groups": allow_shared_groups}
    outcome = trainer.train_images(
        images,
        out,
        encodings=encoding,
        modules=module or [SCATTERING],
        clips=clips,
        settings=trainer.HeadSettings.read(values, name_of=_flag),
        seeds=seed or [0],
        store=harness.Store(store or None),
    )
    for c in outcome.trained:
        say(f"{c.encoding}  {c.module.handle}  seed {c.seed}  {100 * outcome.accuracy(c):.1f} %")
    if len(outcome.failures):
        warn(f"{len(outcome.failures)} failures, listed in {out / 'failures.csv'}")
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
    plugin: PluginFiles = None,
) -> None:
    """Make a model folder of one fold's head."""
    named = {"encoding": encoding, "module": module, "head": head, "seed": str(seed)}
    folder = images or run_folder / "images"
    card = trainer.export_fold(run_folder, named, fold, out, images_folder=folder, store=harness.Store(store or None))
    if card.takes == "image" and card.recipe is None:
        warn(f"{folder} does not say how {encoding!r} was drawn: the model labels pictures, not sounds; see --images")
    say(str(out))


def run_app() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run_app()
