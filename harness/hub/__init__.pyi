from .base import HubModule as HubModule
from .base import ModuleInfo as ModuleInfo
from .base import ModuleKind as ModuleKind
from .base import UnavailableError as UnavailableError
from .handles import ModuleSpec as ModuleSpec
from .kinds import describe as describe
from .kinds import load as load
from .kinds import parse as parse
