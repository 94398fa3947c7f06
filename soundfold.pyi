from converter.drawing import draw as draw
from converter.encodings.gray import Gray as Gray
from converter.encodings.linear import Linear as Linear
from converter.encodings.logmel import LogMel as LogMel
from converter.encodings.mel_power import MelPower as MelPower
from converter.encodings.waveform import Waveform as Waveform
from converter.levels import level as level
from converter.spec import Encoding as Encoding
from corpora.loading import load as corpus
from evaluator.evaluation import compare_runs as compare_runs
from evaluator.evaluation import evaluate as evaluate
from harness.registry import load_plugin as load_plugin
from labeler.loading import load_model as load_model
from merger.methods.blend import Blend as Blend
from merger.methods.channels import Channels as Channels
from merger.methods.stack import Stack as Stack
from merger.spec import MergeMethod as MergeMethod
from study import study as study

__all__ = [
    "Blend",
    "Channels",
    "Encoding",
    "Gray",
    "Linear",
    "LogMel",
    "MelPower",
    "MergeMethod",
    "Stack",
    "Waveform",
    "compare_runs",
    "corpus",
    "draw",
    "evaluate",
    "level",
    "load_model",
    "load_plugin",
    "study",
]

COMMANDS: dict[str, tuple[str, str, tuple[str, ...], str]]

def main() -> None: ...
def usage() -> str: ...
