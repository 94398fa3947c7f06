from .bottlenecks import SoundPart as SoundPart
from .bottlenecks import image_features as image_features
from .bottlenecks import sound_features as sound_features
from .commands import as_shell as as_shell
from .commands import execute_all as execute_all
from .commands import retrain_commands as retrain_commands
from .crossvalidate import cross_validate as cross_validate
from .crossvalidate import predictions as predictions
from .export import export_fold as export_fold
from .export import write_model as write_model
from .final import write_final as write_final
from .fitting import HeadSettings as HeadSettings
from .fitting import Trained as Trained
from .head import Head as Head
from .head import load_heads as load_heads
from .inputs import check_trainable as check_trainable
from .inputs import read_encoding as read_encoding
from .inputs import read_sounds as read_sounds
from .inputs import training_order as training_order
from .layout import lay_out as lay_out
from .lbfgs import STRENGTHS as STRENGTHS
from .planning import cached_features as cached_features
from .running import SOUND as SOUND
from .running import Combination as Combination
from .running import Outcome as Outcome
from .running import combinations as combinations
from .running import train_all as train_all
from .running import train_images as train_images
from .sgd import SgdSettings as SgdSettings

__all__ = [
    "SOUND",
    "STRENGTHS",
    "Combination",
    "Head",
    "HeadSettings",
    "Outcome",
    "SgdSettings",
    "SoundPart",
    "Trained",
    "as_shell",
    "cached_features",
    "check_trainable",
    "combinations",
    "cross_validate",
    "execute_all",
    "export_fold",
    "image_features",
    "lay_out",
    "load_heads",
    "predictions",
    "read_encoding",
    "read_sounds",
    "retrain_commands",
    "sound_features",
    "train_all",
    "train_images",
    "training_order",
    "write_final",
    "write_model",
]
