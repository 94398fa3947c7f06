"""Which merge methods there are, and those that a study's ``[merge.<name>]`` tables or a command line ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.code_version import code_version
from harness.errors import SettingsError, did_you_mean
from harness.files import is_plain_name
from harness.merge_order import in_order
from harness.registry import Registry, defining_module
from harness.settings import Namer, in_section, plain
from harness.toml import apply_settings, toml_value
from merger import merging
from merger.spec import MergeMethod

__all__ = ["METHODS", "method_code", "method_from_json", "method_from_options", "methods_from_study"]

METHODS: Registry[type[MergeMethod]] = Registry(
    "merge method", MergeMethod, package="merger.methods", group="soundfold.merges"
)


def method_from_json(value: Mapping[str, Any], *, name_of: Namer = plain) -> MergeMethod:
    """Read back what ``MergeMethod.to_json`` gave, or a study's ``[merge.<name>]`` table.

    Raises
    ------
    SettingsError
        No method named, one that is not known, or settings that it does not have.

    Examples
    --------
    >>> method_from_json({"how": "stack", "of": ["logmel", "waveform"]}).partners
    ('logmel', 'waveform')
    """
    settings = dict(value)
    if "how" not in settings:
        raise SettingsError(f"{name_of('how')} is missing; available: {', '.join(METHODS.names())}")
    how = settings.pop("how")
    if how not in METHODS:
        raise SettingsError(
            f"{name_of('how')}={how!r}: no such merge method; {did_you_mean(str(how), METHODS.names())}"
        )
    return METHODS[how].read(settings, name_of=name_of)


def method_from_options(how: str, of: Sequence[str], *, pairs: Sequence[str] = ()) -> MergeMethod:
    """Make a merge method from ``--how``, ``--of`` and ``--set``.

    Examples
    --------
    >>> method_from_options("stack", ["logmel", "waveform"], pairs=["direction=horizontal"]).direction
    'horizontal'
    """
    settings = apply_settings({"of": [toml_value(each) for each in of]}, list(pairs))
    options = {"how": "--how", "of": "--of"}
    return method_from_json({**settings, "how": how}, name_of=lambda name: options.get(name, f"--set {name}"))


def methods_from_study(table: Mapping[str, Any], encodings: Collection[str]) -> dict[str, MergeMethod]:
    """Make the merge methods that a study's ``[merge.<name>]`` tables ask for.

    Parameters
    ----------
    table : mapping
        By the name that the merged images go under.
    encodings : collection of str
        The encodings that are drawn.

    Returns
    -------
    dict of str to MergeMethod
        A merge of merges comes after these.

    Raises
    ------
    SettingsError
        A name that is taken, a partner that is neither drawn nor a merge, a merge that is made of itself, and what
        :func:`method_from_json` refuses.
    """
    methods: dict[str, MergeMethod] = {}
    known = [*encodings, *table]
    for name, settings in table.items():
        where = f"[merge.{name}] "
        if not isinstance(settings, Mapping):
            raise SettingsError(f"[merge] {name}={settings!r}: must be a table, [merge.{name}] how = ...")
        if not is_plain_name(name):
            raise SettingsError(f"{where}a name has letters, digits, '_', '-' and '.', at most 100")
        if name in encodings:
            raise SettingsError(f"{where}an encoding has that name already; give the merge another")
        methods[name] = method_from_json(settings, name_of=in_section(f"merge.{name}"))
        for partner in methods[name].partners:
            if partner not in known:
                raise SettingsError(
                    f"{where}{partner!r} is not among the encodings and merges; {did_you_mean(partner, known)}"
                )
    return {name: methods[name] for name in in_order({name: each.partners for name, each in methods.items()})}


def method_code(method: MergeMethod) -> str:
    """Version of all code that decides about the pixels of a merge, 64 hex digits."""
    return code_version(defining_module(type(method)), merging.__name__)
