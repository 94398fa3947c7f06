"""Fused rows: which rows of an ablation are joined into one, and how; a study's ``[fuse.<name>]`` tables.

A fused row has the name of its table as encoding and ``fusion:mean``, ``fusion:weighted`` or ``fusion:vectors`` as
module. Its members are rows of the same head and seed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator

from harness.errors import SettingsError, did_you_mean
from harness.files import is_plain_name
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import is_network
from harness.settings import Namer, Settings
from trainer.ablation import Combination, combination_name
from trainer.fitting import Trained
from trainer.late_fusion import FusedTrained

__all__ = [
    "FUSION",
    "Fusion",
    "FusionSettings",
    "fused_record",
    "fusions_from_options",
    "fusions_from_study",
    "weight_lines",
]

FUSION = "fusion:"
"""How the modules of fused rows begin."""

_WORDS = {"mean": "mean of", "weighted": "weighted mean of", "vectors": "one head on the vectors of"}


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ValueError('must be a list of names, as in ["gray", "logmel"]')
    return tuple(value)


Names = Annotated[tuple[str, ...], PlainValidator(_names)]


class FusionSettings(Settings):
    """``[fuse.<name>]``.

    Parameters
    ----------
    how : str
        ``mean``: of the members' log scores. ``weighted``: the same, by weights that are chosen for each fold on its
        validation clips. ``vectors``: one head on the members' feature vectors, joined end to end.
    of : tuple of str
        Encodings and merges; ``sound`` for modules that take the sound itself.
    modules : tuple of str
        Handles, as in ``[train] modules``; empty for all.
    """

    how: Literal["mean", "weighted", "vectors"]
    of: Annotated[Names, Field(min_length=1)]
    modules: Names = ()


@dataclass(frozen=True)
class Fusion:
    """A fused row, whatever its head and seed.

    Parameters
    ----------
    name : str
        Its encoding in every table.
    how : str
        As :class:`FusionSettings` has it.
    members : tuple of (str, ModuleSpec)
        Encoding and module of each, two at least.
    """

    name: str
    how: Literal["mean", "weighted", "vectors"]
    members: tuple[tuple[str, ModuleSpec], ...]

    def combination(self, head: str, seed: int) -> Combination:
        """The row of a head and seed."""
        return Combination(self.name, ModuleSpec(handle=f"{FUSION}{self.how}"), head, seed)

    def rows(self, head: str, seed: int) -> list[Combination]:
        """The members' rows of a head and seed."""
        return [Combination(encoding, module, head, seed) for encoding, module in self.members]

    def words(self) -> str:
        """What it is, for a plan."""
        of = ", ".join(f"{encoding} through {module.handle}" for encoding, module in self.members)
        return f"{self.name}: {_WORDS[self.how]} {of}"


def fusions_from_study(
    table: Mapping[str, Any],
    todo: Sequence[Combination],
    taken: Collection[str],
    *,
    name_of: Namer = "[fuse.{}]".format,
) -> list[Fusion]:
    """Make the fusions that a study's ``[fuse.<name>]`` tables ask for.

    Parameters
    ----------
    table : mapping
        Settings by the name of the fused row.
    todo : sequence of Combination
        The rows that are there.
    taken : collection of str
        Names that encodings and merges have.
    name_of : callable
        Of a fused row's name how its table was written, for messages.

    Raises
    ------
    SettingsError
        A name that is taken or cannot be in a file's name, an encoding or module that is not there, one member only,
        or settings that there are not.
    """
    found: list[Fusion] = []
    lower = {name.lower(): name for name in taken} | {"sound": "sound"}
    for name, given in table.items():
        where, place = name_of(name), name_of(name).rstrip(":")
        if not isinstance(given, Mapping):
            raise SettingsError(f'[fuse] {name}={given!r}: must be a table, [fuse.{name}] how = "mean", of = [...]')
        if not is_plain_name(name):
            raise SettingsError(f"{place}: a name has letters, digits, '_', '-' and '.', at most 100")
        if name.lower() in lower:
            other = lower[name.lower()]
            raise SettingsError(f"{place}: {other!r} is the name of another row already; give the fused one another")
        lower[name.lower()] = name
        settings = FusionSettings.read(given, name_of=partial("{} {}".format, where))
        fusion = Fusion(name, settings.how, _members(settings, todo, where))
        same = [each.name for each in found if (each.how, {*each.members}) == (fusion.how, {*fusion.members})]
        if same:
            raise SettingsError(
                f"{place}: is the same as {same[0]!r}: the {settings.how} of the same rows; leave one out"
            )
        found.append(fusion)
    return found


def _members(settings: FusionSettings, todo: Sequence[Combination], where: str) -> tuple[tuple[str, ModuleSpec], ...]:
    """Encoding and module of the rows that a fusion names."""
    pairs = list(dict.fromkeys((c.encoding, c.module) for c in todo if not is_network(c.module)))
    networks = {c.module.handle for c in todo if is_network(c.module)} - {m.handle for _, m in pairs}
    for name in networks & set(settings.modules):
        raise SettingsError(f"{where} modules: {name!r} is a network that is trained; only rows of heads can be fused")
    available = {"of": {e for e, _ in pairs}, "modules": {m.handle for _, m in pairs}}
    for key, names in available.items():
        given = getattr(settings, key)
        for name in given:
            if name not in names:
                what = "encoding" if key == "of" else "module"
                raise SettingsError(f"{where} {key}: {name!r} is no {what} here; {did_you_mean(name, names)}")
            if given.count(name) > 1:
                raise SettingsError(f"{where} {key}: {name!r} is given twice; each may be given once")
    chosen = [(e, m) for e, m in pairs if e in settings.of and m.handle in (settings.modules or available["modules"])]
    members = tuple(sorted(chosen, key=lambda each: settings.of.index(each[0])))
    for name in settings.of:
        if name not in {e for e, _ in members}:
            raise SettingsError(f"{where} of: {name!r} goes through none of the modules {', '.join(settings.modules)}")
    if len(members) < 2:
        only = f"{members[0][0]!r} through {members[0][1].handle!r}"
        raise SettingsError(
            f"{where.rstrip(':')}: has one member only, {only}; name two encodings or more, or another module"
        )
    return members


def fusions_from_options(given: Sequence[str], todo: Sequence[Combination], taken: Collection[str]) -> list[Fusion]:
    """Make the fusions that ``--fuse NAME=mean:gray,logmel`` asks for, of all modules; errors as in a study."""
    table: dict[str, Any] = {}
    for text in given:
        name, _, rest = text.partition("=")
        how, colon, names = rest.partition(":")
        if not name.strip() or not colon:
            raise SettingsError(f"--fuse {text}: expected NAME=HOW:ENCODING,ENCODING, as in both=mean:gray,logmel")
        if name.strip() in table:
            raise SettingsError(f"--fuse {text}: {name.strip()!r} is given twice; give each a name of its own")
        of = [each.strip() for each in names.split(",") if each.strip()]
        table[name.strip()] = {"how": how.strip(), "of": of}
    return fusions_from_study(table, todo, taken, name_of="--fuse {}:".format)


def fused_record(fusions: Sequence[Fusion], trained: Mapping[Combination, Trained]) -> dict[str, Any]:
    """What run.json says of the fused rows: how, members, and the weights of each fold; nothing where there are none.

    Parameters
    ----------
    fusions : sequence of Fusion
    trained : mapping of Combination to Trained
        Of all rows.
    """
    record: dict[str, Any] = {}
    for fusion in fusions:
        rows = [c for c in trained if (c.encoding, c.module.handle) == (fusion.name, f"{FUSION}{fusion.how}")]
        record[fusion.name] = {
            "how": fusion.how,
            "members": [{"encoding": encoding, "module": module.handle} for encoding, module in fusion.members],
            "weights": {combination_name(c.named()): getattr(trained[c], "weights", {}) for c in rows},
        }
    return {"fused": record} if record else {}


def weight_lines(fusions: Sequence[Fusion], trained: Mapping[Combination, Trained]) -> list[str]:
    """The weights that were chosen, in words: the mean over folds, the lowest and the highest.

    Parameters
    ----------
    fusions : sequence of Fusion
    trained : mapping of Combination to Trained
        Of all rows.

    Returns
    -------
    list of str
        A line for each weighted row, head and seed.
    """
    lines = []
    for fusion in (each for each in fusions if each.how == "weighted"):
        for c, own in trained.items():
            if c.encoding == fusion.name and isinstance(own, FusedTrained):
                lines.append(f"{fusion.name}  seed {c.seed}  weights: {_weight_words(fusion, own.weights)}")
    return lines


def _weight_words(fusion: Fusion, weights: Mapping[str, Sequence[float]]) -> str:
    parts = []
    for (encoding, module), own in zip(fusion.members, zip(*weights.values(), strict=True), strict=True):
        over = f" ({min(own):.2f} to {max(own):.2f})" if len(own) > 1 else ""
        parts.append(f"{encoding} through {module.handle} {sum(own) / len(own):.2f}{over}")
    return ", ".join(parts)
