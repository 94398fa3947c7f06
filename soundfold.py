"""``soundfold``: the installed command. It imports only what it runs."""

from __future__ import annotations

import sys
from importlib import import_module, metadata

from harness.errors import did_you_mean

# command: module, function, words put before the rest, what it does
COMMANDS = {
    "study": ("study", "run", (), "a whole ablation: corpus -> pictures -> folds -> report"),
    "retrain": ("retrain", "main", (), "one training on a folder of class folders of images"),
    "corpora": ("corpora.__main__", "run", (), "what sounds there are: scan, list, make-demo"),
    "convert": ("converter.__main__", "run", (), "sound -> pictures"),
    "merge": ("merger.__main__", "run", (), "pictures -> picture"),
    "train": ("trainer.__main__", "run_app", (), "fold folders, retrain.py commands, heads, export"),
    "label": ("labeler.__main__", "run", ("label",), "model + sound -> labels"),
    "evaluate": ("evaluator.__main__", "run", ("report",), "predictions -> figures, tests, report"),
    "compare": ("evaluator.__main__", "run", ("compare",), "several runs in one table"),
}


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
