"""What the merger's command line is told, as a spec."""

from __future__ import annotations

from collections.abc import Sequence

from harness.toml import apply_settings, toml_value
from merger.registry import make_spec
from merger.spec import MergeSpec

__all__ = ["spec_from_options"]


def spec_from_options(how: str, of: Sequence[str], *, pairs: Sequence[str]) -> MergeSpec:
    """Make a spec from ``--how``, ``--of`` and ``--set``.

    Examples
    --------
    >>> spec_from_options("stack", ["logmel", "waveform"], pairs=["direction=horizontal"]).settings()
    {'of': ['logmel', 'waveform'], 'direction': 'horizontal'}
    """
    settings = apply_settings({"of": [toml_value(each) for each in of]}, list(pairs))
    return make_spec(how, settings)
