"""The flags of ``retrain.py``: names, types, defaults and meaning as they have always been, and a few new ones.

Nothing heavy is imported here: ``--help`` must answer at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, NoReturn

from harness.errors import SettingsError

__all__ = ["BOTTLENECK_DIR", "Flags", "OneLineParser", "check_flags", "parse_flags"]

BOTTLENECK_DIR = "/tmp/bottleneck"
_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SPLITS = ("hash", "legacy")


def _flag(default: Any, help: str, choices: Sequence[str] | None = None) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True)
class Flags:
    """All flags; the first twenty-four are the old script's."""

    image_dir: str = _flag("", "Path to folders of labeled images.")
    output_graph: str = _flag("/tmp/output_graph.pb", "Where to save the trained graph.")
    intermediate_output_graphs_dir: str = _flag("/tmp/intermediate_graph/", "Where to save the intermediate graphs.")
    intermediate_store_frequency: int = _flag(0, "Store an intermediate graph every so many steps; 0: never.")
    output_labels: str = _flag("/tmp/output_labels.txt", "Where to save the trained graph's labels.")
    summaries_dir: str = _flag("/tmp/retrain_logs", "Where to save summary logs for TensorBoard.")
    how_many_training_steps: int = _flag(4000, "How many training steps to run before ending.")
    learning_rate: float = _flag(0.01, "How large a learning rate to use when training.")
    testing_percentage: int = _flag(10, "What percentage of images to use as a test set.")
    validation_percentage: int = _flag(10, "What percentage of images to use as a validation set.")
    eval_step_interval: int = _flag(10, "How often to evaluate the training results, in steps.")
    train_batch_size: int = _flag(100, "How many images to train on at a time.")
    test_batch_size: int = _flag(-1, "How many images to test on, drawn by class; -1: the whole test set.")
    validation_batch_size: int = _flag(100, "How many images to validate on, drawn by class; -1: the whole set.")
    print_misclassified_test_images: bool = _flag(False, "Print a list of all misclassified test images.")
    bottleneck_dir: str = _flag(
        BOTTLENECK_DIR, "Where to cache bottleneck values; left at its default, the store that all commands share."
    )
    final_tensor_name: str = _flag("final_result", "The name of the output layer in the retrained graph.")
    flip_left_right: bool = _flag(False, "Randomly flip half of the training images horizontally.")
    random_crop: int = _flag(0, "A percentage: how much of a margin to randomly crop off the training images.")
    random_scale: int = _flag(0, "A percentage: how much to randomly scale up the training images by.")
    random_brightness: int = _flag(0, "A percentage: how much to randomly multiply the training images up or down.")
    tfhub_module: str = _flag(
        "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/1",
        "Which module to use: builtin:scattering, a SavedModel folder, a https://tfhub.dev, kaggle: or keras: handle.",
    )
    saved_model_dir: str = _flag("", "Where to save the model folder (SavedModel, labels, card); empty: nowhere.")
    logging_verbosity: str = _flag("INFO", "How much logging output to show.", _LEVELS)
    checkpoint_path: str = _flag("/tmp/_retrain_checkpoint", "Where to save the checkpoint that --resume reads.")
    seed: int = _flag(0, "Seed of everything that is random: the same seed gives the same weights.")
    resume: bool = _flag(False, "Go on from the checkpoint, where it belongs to the same training.")
    test_list: str = _flag("", "File that lists the test set, one image a line; comes before the percentages.")
    validation_list: str = _flag("", "File that lists the validation set, one image a line.")
    split: str = _flag("hash", "hash: the same split wherever the folder lies; legacy: the old script's.", _SPLITS)
    allow_shared_groups: bool = _flag(False, "Go on although a list puts one recording into two sets (a leak).")
    store: str = _flag("", "The store for bottlenecks, where --bottleneck_dir is not given; empty: the usual one.")
    image_size: str = _flag("", "Size of the module's images, HEIGHTxWIDTH in pixels, where the module does not say.")
    value_range: str = _flag("", "What black and white are to the module, where not 0 and 1: --value_range=-1,1.")
    bottleneck_text: bool = _flag(False, "Also write bottlenecks as text files, named as the old script named them.")

    def module(self) -> dict[str, Any]:
        """The module with what was given by hand, as :func:`harness.hub.handles.parse` reads it."""
        return {
            "handle": self.tfhub_module,
            "image_size": _pair("image_size", self.image_size, "x", int, "HEIGHTxWIDTH, such as 224x224"),
            "value_range": _pair("value_range", self.value_range, ",", float, "two numbers, such as -1,1"),
        }

    @property
    def distorts(self) -> bool:
        """Whether training pictures are distorted."""
        return self.flip_left_right or any((self.random_crop, self.random_scale, self.random_brightness))


def _pair(name: str, text: str, separator: str, kind: type, expected: str) -> list[Any] | None:
    if not text:
        return None
    try:
        first, second = (kind(part) for part in text.split(separator))
    except ValueError as error:
        raise SettingsError(f"{name}={text!r}: expected {expected}") from error
    return [first, second]


class OneLineParser(argparse.ArgumentParser):
    """Errors in one line, without the usage of thirty flags before it; a misspelt flag says what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Read the command line; see :meth:`argparse.ArgumentParser.parse_args`."""
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return known

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f"unexpected argument {word!r}; every value follows its flag"
        names = [name.removeprefix("--") for name in self._option_string_actions if name.startswith("--")]
        close = get_close_matches(word.lstrip("-").split("=", 1)[0].replace("-", "_"), names, n=1)
        meant = f"did you mean --{close[0]}?" if close else "see --help"
        return f"unknown flag {word.split('=', 1)[0]}: {meant}"


def parse_flags(argv: Sequence[str] | None = None) -> Flags:
    """Read the command line; ``--flag value`` and ``--flag=value`` are the same.

    Raises
    ------
    SystemExit
        With 2 for a misspelt flag or a value of another type, with 0 after ``--help``.
    """
    parser = OneLineParser(
        prog="retrain.py",
        description="Train a new top layer on a module's features of the images in a folder of class folders.",
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for flag in fields(Flags):
        assert flag.default is not MISSING
        if isinstance(flag.default, bool):
            parser.add_argument(f"--{flag.name}", action="store_true", help=flag.metadata["help"])
            continue
        parser.add_argument(
            f"--{flag.name}",
            type=type(flag.default),
            default=flag.default,
            choices=flag.metadata["choices"],
            metavar=None if flag.metadata["choices"] else type(flag.default).__name__.upper(),
            help=flag.metadata["help"],
        )
    return Flags(**vars(parser.parse_args(argv)))


def check_flags(flags: Flags) -> None:
    """Hold the values against their ranges.

    Raises
    ------
    SettingsError
        Naming the flag, its value and what was expected.
    """
    least = {
        "intermediate_store_frequency": 0, "how_many_training_steps": 0, "eval_step_interval": 1,
        "train_batch_size": 1, "random_crop": 0, "random_scale": 0, "random_brightness": 0, "seed": 0,
    }  # fmt: skip
    for name, lowest in least.items():
        if getattr(flags, name) < lowest:
            raise SettingsError(f"{name}={getattr(flags, name)}: expected {lowest} or more")
    for name in ("test_batch_size", "validation_batch_size"):
        if getattr(flags, name) == 0 or getattr(flags, name) < -1:
            raise SettingsError(f"{name}={getattr(flags, name)}: expected 1 or more, or -1 for the whole set")
    if flags.random_brightness > 100:
        raise SettingsError(f"random_brightness={flags.random_brightness}: expected 0 to 100")
    if not flags.learning_rate > 0:
        raise SettingsError(f"learning_rate={flags.learning_rate}: expected a number above 0")
    for name in ("output_graph", "output_labels", "summaries_dir", "checkpoint_path", "final_tensor_name"):
        if not getattr(flags, name):
            raise SettingsError(f"{name}='': expected a name")
