"""``python -m trainer``: fold folders, retrain.py commands, training in process, export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import harness
import trainer
from harness.cli import (
    NoGpu,
    NoMixedPrecision,
    PluginFiles,
    RenamedSharedGroups,
    SchedulerOption,
    command_app,
    main,
    option_words,
    say,
    warn,
)
from harness.errors import SettingsError

if TYPE_CHECKING:  # it imports pandas
    from harness.shared_groups import Policy

app = command_app(name="trainer", help="Train and test heads over folds, and export models.")

Images = Annotated[Path, typer.Option(help="The images.csv that the converter or merger wrote.", show_default=False)]
Encoding = Annotated[str, typer.Option(help="Encoding, as images.csv names it.", show_default=False)]
Module = Annotated[str, typer.Option(help="Module handle, or a SavedModel folder.")]
Out = Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Seed of the training.")]
Steps = Annotated[int, typer.Option(help="Steps of head sgd.")]
StoreDir = Annotated[str, typer.Option("--store", help="Folder of the store; default: the user's cache folder.")]
Shared = Annotated[
    str,
    typer.Option(
        "--shared-groups",
        help="Groups in several folds: refuse, official (the corpus's own exceptions), drop (clips that would leak) or "
        "allow. Default: as the tables were scanned.",
    ),
]
SCATTERING = "builtin:scattering"


def _flag(name: str) -> str:
    """A setting's name as it is typed."""
    return f"--{name}"


def _option_words(name: str, value: str | int) -> str:
    """A setting as these commands have it; folds are not assigned here."""
    return option_words(name, value) if name == "shared_groups" else ""


def _policy(text: str) -> Policy | None:
    return harness.as_policy(text, name="--shared-groups") if text else None


def _shared(images: Path, text: str) -> harness.SharedGroups:
    """What is done about groups that span folds, for class folders, which cannot say that a label is for training."""
    changes = harness.read_label_changes(images.parent)
    if changes and changes.scope == "training":
        raise SettingsError(
            f"{images}: {changes.table} changes labels for training alone, which folders of classes cannot say; scan "
            "again with --overlay-scope all, or use `run`"
        )
    return harness.read_shared_groups(images.parent, _policy(text))


@app.command()
def layout(
    images: Images,
    encoding: Encoding,
    out: Out,
    seed: Seed = 0,
    shared_groups: Shared = "",
    allow_shared_groups: RenamedSharedGroups = False,
) -> None:
    """Lay out each fold's training and evaluation folders, by hard links."""
    table, shared = trainer.read_encoding(images, encoding), _shared(images, shared_groups)
    with harness.in_words_of(_option_words):
        folders = trainer.lay_out(table, out, seed=seed, shared=shared)
    for folder in folders:
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
    shared_groups: Shared = "",
    allow_shared_groups: RenamedSharedGroups = False,
    plugin: PluginFiles = None,
    execute: Annotated[bool, typer.Option("--execute", help="Run them.")] = False,
    jobs: Annotated[int, typer.Option(help="With --execute: how many run at a time.")] = 1,
) -> None:
    """Print a retrain.py command for each fold, ready for a shell."""
    with harness.in_words_of(_option_words):
        made = trainer.retrain_commands(
            trainer.read_encoding(images, encoding),
            module,
            out,
            settings=trainer.SgdSettings.read({"steps": steps}, name_of=_flag),
            seed=seed,
            store=store,
            shared=_shared(images, shared_groups),
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
    module: Annotated[
        list[str] | None,
        typer.Option(
            help="Module handle, or a table as in a study: '{handle = \"cnn:small\", epochs = 9}'; again for more."
        ),
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="The clips.csv, for modules that take the sound itself.")] = None,
    head: Annotated[str, typer.Option(help="lbfgs, or sgd as retrain.py trains.")] = "lbfgs",
    seed: Annotated[list[int] | None, typer.Option(help="Seed; again for more.")] = None,
    steps: Steps = 4000,
    balance: Annotated[str, typer.Option(help="Classes in training sets: none, down or up.")] = "none",
    repeats: Annotated[
        int, typer.Option(min=0, max=1000, help="Also over so many other groupings of the clips into folds.")
    ] = 0,
    fuse: Annotated[
        list[str] | None,
        typer.Option(
            help="Join rows: NAME=mean:ENCODING,ENCODING (of log scores), or weighted, or vectors; again for more.",
            show_default=False,
        ),
    ] = None,
    scheduler: SchedulerOption = "",
    no_gpu: NoGpu = False,
    no_mixed_precision: NoMixedPrecision = False,
    store: StoreDir = "",
    shared_groups: Shared = "",
    allow_shared_groups: RenamedSharedGroups = False,
    plugin: PluginFiles = None,
) -> None:
    """Cross-validate in process: predictions.csv and each fold's head."""
    sgd = trainer.SgdSettings.read({"steps": steps}, name_of=_flag)
    with harness.in_words_of(_option_words), harness.connected(scheduler, name="--scheduler"):
        outcome = trainer.train_images(
            images,
            out,
            encodings=encoding,
            modules=[trainer.module_from_text(text) for text in module or [SCATTERING]],
            clips=clips,
            settings=trainer.HeadSettings.read({"head": head, "sgd": sgd, "balance": balance}, name_of=_flag),
            seeds=seed or [0],
            store=harness.Store(store or None),
            shared_groups=_policy(shared_groups),
            repeats=repeats,
            fuse=fuse or (),
        )
    for line in [*trainer.accuracy_lines(outcome), *trainer.weight_lines(outcome.fusions, outcome.trained)]:
        say(line)
    if repeats:
        say(f"{repeats} other groupings of the clips into folds: {out / 'repeats.csv'}")
    for line in outcome.notes:
        warn(line)
    if len(outcome.failures):
        warn(f"{len(outcome.failures)} failures, listed in {out / 'failures.csv'}")
        raise typer.Exit(1)


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a study, or of `trainer run`.")],
    encoding: Encoding,
    out: Out,
    fold: Annotated[
        str, typer.Option(help="The fold that the model does not know; of a single split, test.", show_default=False)
    ],
    module: Module = SCATTERING,
    head: Annotated[str, typer.Option(help="lbfgs, sgd, or network.")] = "lbfgs",
    seed: Seed = 0,
    images: Annotated[Path | None, typer.Option(help="Folder of images.csv. Default: RUN/images.")] = None,
    store: StoreDir = "",
    plugin: PluginFiles = None,
) -> None:
    """Make a model folder of one fold's head, or network (then --module is as the tables have it)."""
    named = {"encoding": encoding, "module": module, "head": head, "seed": str(seed)}
    folder = images or run_folder / "images"
    card = trainer.export_fold(run_folder, named, fold, out, images_folder=folder, store=harness.Store(store or None))
    if card.takes == "image" and card.recipe is None:
        warn(f"{folder} does not say how {encoding!r} was drawn: the model labels pictures, not sounds; see --images")
    elif unknown := [part.encoding for part in card.parts if part.info.takes == "image" and not part.recipe]:
        warn(f"{folder} does not say how {unknown[0]!r} was drawn: the model labels nothing; see --images")
    say(str(out))


def run_app() -> None:
    """Run the command line."""
    main(app)


if __name__ == "__main__":
    run_app()
