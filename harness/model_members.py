"""The members of a fused model, as ``model.json`` has them: several modules that hear one sound, and a head on all.

Each member has a module and, where that takes images, the recipe that draws the sound. What members take is given by
name: those with the same recipe and size share an input, and those with the same module a signature of the SavedModel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.hub.base import ModuleInfo
from harness.settings import is_number

__all__ = ["ModelMember", "wrong_module"]

_LARGEST = 1_000_000  # pixels in a row, samples in a second


@dataclass(frozen=True)
class ModelMember:
    """One member.

    Parameters
    ----------
    encoding : str
        As the tables name it; ``sound`` for a module that takes the sound itself.
    input : str
        Name of what its module takes, ``input_0`` and so on.
    signature : str
        Name of the module's signature in the SavedModel, ``features_0`` and so on.
    module : dict
        As :func:`harness.model.module_to_json` gives it.
    recipe : dict or None
        As that of :class:`harness.model.ModelCard`; its key in the file is ``picture`` too.
    """

    encoding: str
    input: str
    signature: str
    module: dict[str, Any]
    recipe: dict[str, Any] | None = None

    @property
    def info(self) -> ModuleInfo:
        """What its module takes and gives."""
        return ModuleInfo.from_json(self.module)

    def to_json(self) -> dict[str, Any]:
        """As ``model.json`` has it."""
        values = asdict(self)
        return {**values, "picture": values.pop("recipe")}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelMember:
        """What :meth:`to_json` gave."""
        return cls(**{"recipe" if name == "picture" else name: value for name, value in values.items()})

    @classmethod
    def named(cls, given: Sequence[tuple[str, dict[str, Any], dict[str, Any] | None]]) -> list[ModelMember]:
        """Members from encoding, module and recipe of each, with names for what they share.

        Examples
        --------
        >>> net = {"handle": "net", "digest": "1", "takes": "image", "preprocessing": {}}
        >>> found = ModelMember.named([("gray", net, {"spec": {}}), ("logmel", net, {"spec": {"n_mels": 8}})])
        >>> [(each.input, each.signature) for each in found]
        [('input_0', 'features_0'), ('input_1', 'features_0')]
        """
        inputs: list[Any] = []
        modules: list[Any] = []
        members = []
        for encoding, module, recipe in given:
            takes = (module["takes"], module["preprocessing"], encoding if recipe is None else recipe)
            same = (module["handle"], module["digest"], module["preprocessing"])
            for known, one in ((inputs, takes), (modules, same)):
                if one not in known:
                    known.append(one)
            names = f"input_{inputs.index(takes)}", f"features_{modules.index(same)}"
            members.append(cls(encoding, *names, module, recipe))
        return members


def wrong_module(module: Mapping[str, Any], takes: str) -> str:
    """What is wrong with a module as a card has it, which takes images or waveforms; empty where nothing is."""
    try:
        info = ModuleInfo.from_json(module)
    except (KeyError, TypeError, ValueError) as error:
        return f"module: {type(error).__name__}: {error}"
    pixels = (info.height, info.width)
    if not all(isinstance(each, str) for each in (info.handle, info.digest)) or info.takes != takes:
        return f"module: takes {repr(info.takes)[:60]}, the model {takes!r}"
    sizes = [*pixels, info.sample_rate, info.features]
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in sizes)
    if not whole or max(*pixels, info.sample_rate) > _LARGEST:
        return "module: a size, a rate or a number of features that cannot be"
    if min(pixels) < 1 if takes == "image" else info.sample_rate < 1:
        return f"module: {pixels[0]}x{pixels[1]} pixels, {info.sample_rate} Hz"
    if len(info.value_range) != 2 or not all(map(is_number, info.value_range)):
        return f"module: value_range: {repr(info.value_range)[:60]}, expected two numbers"
    return ""
