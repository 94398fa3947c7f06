from .methods.blend import Blend as Blend
from .methods.channels import Channel as Channel
from .methods.channels import Channels as Channels
from .methods.stack import Stack as Stack
from .pipeline import merge_images as merge_images
from .pipeline import merge_table as merge_table
from .registry import METHODS as METHODS
from .registry import method_from_json as method_from_json
from .registry import method_from_options as method_from_options
from .registry import methods_from_study as methods_from_study
from .spec import MergeMethod as MergeMethod

__all__ = [
    "METHODS",
    "Blend",
    "Channel",
    "Channels",
    "MergeMethod",
    "Stack",
    "merge_images",
    "merge_table",
    "method_from_json",
    "method_from_options",
    "methods_from_study",
]
