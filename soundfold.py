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

import ast
import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from harness.cli import guard
    from harness.errors import did_you_mean
    from harness.installation import check_packages
except ImportError as error:
    foreign = getattr(sys.modules.get("harness"), "__file__", None)
    raise ImportError(
        f"the package 'harness' that Python finds ({foreign}) is not soundfold's, or something it needs is missing "
        f"({error}). Install soundfold into an environment of its own (uv tool install soundfold, or pipx install "
        "soundfold)"
    ) from error

if TYPE_CHECKING:  # the public names, each imported when it is first used; `_public_names` reads them here
    from converter.drawing import draw as draw
    from converter.encodings.chroma import Chroma as Chroma
    from converter.encodings.cqt import Cqt as Cqt
    from converter.encodings.gray import Gray as Gray
    from converter.encodings.hpss import Hpss as Hpss
    from converter.encodings.linear import Linear as Linear
    from converter.encodings.logmel import LogMel as LogMel
    from converter.encodings.mel_delta import MelDelta as MelDelta
    from converter.encodings.mel_power import MelPower as MelPower
    from converter.encodings.mfcc import Mfcc as Mfcc
    from converter.encodings.multires import Multires as Multires
    from converter.encodings.pcen import Pcen as Pcen
    from converter.encodings.scalogram import Scalogram as Scalogram
    from converter.encodings.stereo import Stereo as Stereo
    from converter.encodings.waveform import Waveform as Waveform
    from converter.levels import level as level
    from converter.registry import ENCODINGS as ENCODINGS
    from converter.settings_file import read_settings as read_settings
    from converter.settings_file import write_settings as write_settings
    from converter.settings_panel import SettingsPanel as SettingsPanel
    from converter.spec import Encoding as Encoding
    from corpora.loading import load as corpus
    from evaluator.evaluation import compare_runs as compare_runs
    from evaluator.evaluation import evaluate as evaluate
    from evaluator.live_curves import LiveCurves as LiveCurves
    from evaluator.plots import draw_confusion as draw_confusion
    from harness.player import play as play
    from harness.registry import load_plugin as load_plugin
    from labeler.loading import load_model as load_model
    from merger.methods.blend import Blend as Blend
    from merger.methods.channels import Channels as Channels
    from merger.methods.stack import Stack as Stack
    from merger.spec import MergeMethod as MergeMethod
    from study import study as study
    from trainer.sgd import SgdSettings as SgdSettings
    from trainer.single_fold import train_fold as train_fold

# command: module, function, words put before the rest, what it does
COMMANDS = {
    "study": ("study", "run", (), "a whole ablation: corpus -> images -> folds -> report"),
    "retrain": ("retrain", "main", (), "one training on a folder of class folders of images"),
    "corpora": ("corpora.__main__", "run", (), "what sounds there are: scan, look, list, make-demo"),
    "convert": ("converter.__main__", "run", (), "sound -> images"),
    "merge": ("merger.__main__", "run", (), "images -> image"),
    "train": ("trainer.__main__", "run_app", (), "fold folders, retrain.py commands, heads, export"),
    "label": ("labeler.__main__", "run", ("label",), "model + sound -> labels"),
    "scan": ("labeler.__main__", "run", ("scan",), "model + hours of recordings -> calls with times, counts"),
    "threshold": ("labeler.__main__", "run", ("threshold",), "a scan and labelled recordings -> thresholds"),
    "review": ("labeler.__main__", "run", ("review",), "a scan -> a page of detections to judge"),
    "density": ("labeler.__main__", "run", ("density",), "a scan and judged windows -> how many hold a call"),
    "listen": ("labeler.__main__", "run", ("listen",), "model + microphone -> labels as it sounds"),
    "snapshot": ("labeler.__main__", "run", ("snapshot",), "some seconds of the microphone: sound, image, scores"),
    "evaluate": ("evaluator.__main__", "run", ("report",), "predictions -> figures, tests, report"),
    "compare": ("evaluator.__main__", "run", ("compare",), "several runs in one table"),
    "store": ("harness.store_care.__main__", "run", (), "what is in the store and how large; verify, prune, compact"),
}


def _public_names() -> dict[str, tuple[str, str]]:
    """The module and the name in it of each public name, from the imports for type checkers above."""
    block = next(
        node for node in ast.parse(Path(__file__).read_text(encoding="utf-8")).body if isinstance(node, ast.If)
    )
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {str(a.asname): (str(node.module), a.name) for node in imports for a in node.names}


_NAMES = _public_names()
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _NAMES:
        raise AttributeError(f"module 'soundfold' has no attribute {name!r}; {did_you_mean(name, __all__)}")
    check_packages()
    module, original = _NAMES[name]
    found = globals()[name] = getattr(import_module(module), original)
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
