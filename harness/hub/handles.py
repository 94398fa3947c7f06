"""A module as a person gives it: its handle, and what the module itself does not say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, PlainValidator, model_validator

from harness.hub.network_settings import (
    FINE_TUNING,
    Amount,
    Monitor,
    NetworkSettings,
    Optimizer,
    Schedule,
    Share,
    Start,
    without_effect,
)
from harness.settings import Check, Count, PositiveFloat, PositiveInt, Settings, field_error, is_number

__all__ = ["GivenModule", "ModuleSpec"]

_MOST_WORDS = 40  # characters
_OF_MODULE = ("image_size", "value_range", "sample_rate")


def _handle(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a module needs a handle, e.g. builtin:scattering")
    return value.strip()


def _pair(*, whole: bool) -> Check:
    def check(value: Any) -> tuple[Any, Any] | None:
        if value is None:
            return None
        numbers = isinstance(value, (list, tuple)) and len(value) == 2 and all(map(is_number, value))
        if not numbers or (whole and not all(isinstance(number, int) for number in value)):
            raise ValueError(f"expected two {'whole ' if whole else ''}numbers")
        if whole and min(value) < 1:
            raise ValueError("height and width must be positive")
        if not whole and value[0] == value[1]:
            raise ValueError("black and white must differ")
        return (value[0], value[1]) if whole else (float(value[0]), float(value[1]))

    return check


def _words(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MOST_WORDS or not value.isprintable():
        raise ValueError(f"expected a few words, at most {_MOST_WORDS} characters")
    return value.strip()


def _rate(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("expected a rate in Hz, e.g. 16000")
    return value


class GivenModule(Settings):
    """A module as it is written in a study.

    Parameters
    ----------
    handle : str
        As given; stands so in every table.
    image_size : tuple of int, optional
        (height, width) in pixels, where the module does not say.
    value_range : tuple of float, optional
        (black, white) that the module expects, where it is not (0, 1).
    sample_rate : int
        In Hz, for a waveform module of unknown publisher; 0: read from the publisher.
    finetune : bool
        Whether the weights of the module are trained too, and not those of a head alone.
    named : str
        A few words for tables in place of the settings of a network, as ``long``.
    epochs, patience, monitor, batch_size, optimizer, learning_rate, momentum, schedule, clip_norm, dropout, \
label_smoothing, l1, l2, warmup_epochs, start, spec_augment, time_shift, mixup : optional
        How that is done, and how a ``cnn:`` is trained; see
        :class:`harness.hub.network_settings.NetworkSettings`.
    """

    title: ClassVar[str] = "a module"

    handle: Annotated[str, PlainValidator(_handle), Field(validate_default=True)] = ""
    image_size: Annotated[tuple[int, int] | None, BeforeValidator(_pair(whole=True))] = None
    value_range: Annotated[tuple[float, float] | None, BeforeValidator(_pair(whole=False))] = None
    sample_rate: Annotated[int, PlainValidator(_rate)] = 0
    finetune: bool = False
    named: Annotated[str, PlainValidator(_words)] = ""
    epochs: PositiveInt | None = None
    patience: Count | None = None
    monitor: Monitor | None = None
    batch_size: PositiveInt | None = None
    optimizer: Optimizer | None = None
    learning_rate: PositiveFloat | None = None
    momentum: Share | None = None
    schedule: Schedule | None = None
    clip_norm: Amount | None = None
    dropout: Share | None = None
    label_smoothing: Share | None = None
    l1: Amount | None = None
    l2: Amount | None = None
    warmup_epochs: Count | None = None
    start: Start | None = None
    spec_augment: Share | None = None
    time_shift: Share | None = None
    mixup: Amount | None = None

    @model_validator(mode="after")
    def _check_effects(self) -> Self:
        """Refuse what has no effect on a module that is fine-tuned; a kind of networks checks its own."""
        given = {name: value for name, value in self if name in NetworkSettings.model_fields and value is not None}
        wrong = without_effect(given, FINE_TUNING.replace(**given)) if self.finetune else None
        if wrong:
            raise field_error(*wrong)
        return self


class ModuleSpec(GivenModule):
    """A module as it is written in a study, and where.

    Parameters
    ----------
    base : Path
        Folder that a relative path is relative to.
    """

    base: Path = Path()

    @property
    def scheme(self) -> str:
        """What stands before the handle's colon; empty for a folder, ``C:/modules/mine`` included.

        Examples
        --------
        >>> ModuleSpec(handle="keras:MobileNetV2").scheme, ModuleSpec(handle="../modules/mine").scheme
        ('keras', '')
        """
        found = re.match(r"([A-Za-z][\w+.-]+):", self.handle)
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """What follows the scheme."""
        return self.handle.split(":", 1)[1] if self.scheme else self.handle

    def overrides(self) -> dict[str, Any]:
        """What was given by hand, as JSON values."""
        return self.model_dump(mode="json", include=set(_OF_MODULE))

    def training(self) -> dict[str, Any]:
        """What was given of how a network is trained, `finetune` left out, as JSON values."""
        others = {"handle", "base", "finetune", "named", *_OF_MODULE}
        return self.model_dump(mode="json", exclude=others, exclude_none=True)

    def frozen(self) -> ModuleSpec:
        """The module as it comes, without anything of how it is trained."""
        return ModuleSpec(handle=self.handle, base=self.base, **{name: getattr(self, name) for name in _OF_MODULE})

    @property
    def row(self) -> str:
        """How it is named in every table: the handle as given, and of a network its name, or what was given of it.

        Examples
        --------
        >>> ModuleSpec(handle="keras:ResNet50", finetune=True, epochs=8).row
        'keras:ResNet50 (fine-tuned, epochs=8)'
        >>> ModuleSpec(handle="cnn:small", image_size=(64, 110)).row
        'cnn:small (image_size=64x110)'
        >>> ModuleSpec(handle="cnn:small", named="masks", spec_augment=0.1).row
        'cnn:small (masks)'
        """
        values = self.training().items()
        settings = [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values]
        if settings or self.finetune or self.scheme == "cnn":  # a network; others may be given once
            settings += [
                f"{name}={separator.join(map(json.dumps, getattr(self, name)))}"
                for name, separator in (("image_size", "x"), ("value_range", " to "))
                if getattr(self, name)
            ]
        words = [*(["fine-tuned"] if self.finetune else []), *([self.named] if self.named else settings)]
        return f"{self.handle} ({', '.join(words)})" if words else self.handle
