"""soundfold in a notebook, and the installed command; both import only what is used.

Examples
--------
::

    import soundfold as sf

    sf.draw("dog.wav", sf.LogMel(n_mels=64))            # an image array; y with sr= works as well as a path
    clips = sf.corpus("folders", "recordings")          # a DataFrame
    run = sf.study("birds.toml")                        # run.ranking, run.predictions, run.verdict, run.model
    sf.load_model("runs/birds/model").label("new.wav")  # scores by class
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from typing import Any

try:
    from harness.cli import guard
    from harness.errors import did_you_mean
    from harness.installation import check_packages
except ImportError as error:
    import harness  # the foreign one

    raise ImportError(
        f"the package 'harness' that Python finds ({harness.__file__}) is not soundfold's, or something that it needs "
        f"is missing ({error}). Install soundfold into an environment of its own (uv tool install soundfold, or pipx "
        "install soundfold)"
    ) from error

# public name: the module that defines it (soundfold.pyi says the same to editors and type checkers)
_NAMES = {
    "Blend": "merger.methods.blend",
    "Channels": "merger.methods.channels",
    "Encoding": "converter.spec",
    "Gray": "converter.encodings.gray",
    "Linear": "converter.encodings.linear",
    "LogMel": "converter.encodings.logmel",
    "MelPower": "converter.encodings.mel_power",
    "MergeMethod": "merger.spec",
    "Stack": "merger.methods.stack",
    "Waveform": "converter.encodings.waveform",
    "compare_runs": "evaluator.evaluation",
    "corpus": "corpora.loading:load",
    "draw": "converter.drawing",
    "evaluate": "evaluator.evaluation",
    "level": "converter.levels",
    "load_model": "labeler.loading",
    "load_plugin": "harness.registry",
    "study": "study",
}
__all__ = sorted(_NAMES)

# command: module, function, words put before the rest, what it does
COMMANDS = {
    "study": ("study", "run", (), "a whole ablation: corpus -> images -> folds -> report"),
    "retrain": ("retrain", "main", (), "one training on a folder of class folders of images"),
    "corpora": ("corpora.__main__", "run", (), "what sounds there are: scan, list, make-demo"),
    "convert": ("converter.__main__", "run", (), "sound -> images"),
    "merge": ("merger.__main__", "run", (), "images -> image"),
    "train": ("trainer.__main__", "run_app", (), "fold folders, retrain.py commands, heads, export"),
    "label": ("labeler.__main__", "run", ("label",), "model + sound -> labels"),
    "evaluate": ("evaluator.__main__", "run", ("report",), "predictions -> figures, tests, report"),
    "compare": ("evaluator.__main__", "run", ("compare",), "several runs in one table"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _NAMES:
        raise AttributeError(f"module 'soundfold' has no attribute {name!r}; {did_you_mean(name, __all__)}")
    check_packages()
    module, _, attribute = _NAMES[name].partition(":")
    found = globals()[name] = getattr(import_module(module), attribute or name)
    return found


def __dir__() -> list[str]:
    return __all__


def main() -> None:
    """Run ``soundfold COMMAND ...``."""
    words = sys.argv[1:]
    if not words or words[0] in {"-h", "--help"}:
        print(usage())
        sys.exit(0 if words else 2)
    if words[0] == "--version":
        print(metadata.version("soundfold"))
        sys.exit(0)
    if words[0] not in COMMANDS:
        print(f"error: no command {words[0]!r}; {did_you_mean(words[0], COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    if guard(check_packages):
        sys.exit(1)
    module, function, before, _ = COMMANDS[words[0]]
    sys.argv = [f"soundfold {words[0]}", *before, *words[1:]]
    sys.exit(getattr(import_module(module), function)())


def usage() -> str:
    """What ``soundfold --help`` prints."""
    lines = [f"  {name:10}{what}" for name, (_, _, _, what) in COMMANDS.items()]
    head = "usage: soundfold COMMAND ...       (soundfold COMMAND --help says more)"
    return "\n".join([head, "", *lines, "", "  --version"])


if __name__ == "__main__":
    main()
