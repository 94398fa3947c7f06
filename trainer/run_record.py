"""Step ``train`` of a run's ``run.json``: written and read here, and nowhere else in the trainer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import SettingsError
from harness.files import digest_file
from harness.hub.base import ModuleInfo
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import is_network, parse, precision
from harness.model import module_to_json
from harness.record import CORPUS, read_steps, record_step
from harness.tables import PREDICTIONS
from trainer.ablation import combination_name
from trainer.fitting import HeadSettings

__all__ = [
    "STEP",
    "as_sentence",
    "fused_training",
    "read_caveats",
    "read_heads",
    "read_image_specs",
    "read_members",
    "read_module",
    "read_networks",
    "read_reduced",
    "record_training",
]

STEP = "train"
_OVERRIDES = ("image_size", "value_range", "sample_rate")


def record_training(
    out: str | Path,
    settings: HeadSettings,
    *,
    seeds: Sequence[int],
    modules: Mapping[ModuleSpec, ModuleInfo],
    image_specs: Mapping[str, list[str]],
    chosen: Mapping[str, Mapping[str, float]],
    sizes: Sequence[Mapping[str, Any]],
    heads: Mapping[str, str],
    inputs: Mapping[str, str],
    started: float,
    protocol: Mapping[str, Any],
) -> None:
    """Write the step into the folder of the predictions that it made.

    Parameters
    ----------
    out : path
        Folder of ``predictions.csv``.
    settings : HeadSettings
    seeds : sequence of int
    modules : mapping of ModuleSpec to ModuleInfo
    image_specs : mapping of str to list of str
        The values of column ``spec`` of ``images.csv``, by encoding.
    chosen : mapping
        Regularisation strengths by combination and fold; of networks the numbers of epochs.
    sizes : sequence of mapping
        Of each combination its name (encoding, module, head, seed) and ``folds``: how many clips each fold's head was
        fitted on, and tested with.
    heads : mapping of str to str
        sha256 of the file of each combination's heads.
    inputs : mapping of str to str
        Digests of what was read.
    started : float
        `time.monotonic` at the start.
    protocol : mapping
        The policy for shared groups, notes on what was done about them, the sizes of a single split, the digests of
        the reduced features.
    """
    spec = {
        **settings.of_head(),
        "seeds": list(seeds),
        **protocol,
        "modules": {m.row: _module_to_json(m, info) for m, info in modules.items()},
        "pictures": dict(image_specs),
        "chosen": dict(chosen),
        "sizes": [dict(each) for each in sizes],
        "heads": dict(heads),
    }
    predictions = Path(out) / PREDICTIONS.name
    inputs = {**inputs, predictions.name: digest_file(predictions)}
    record_step(out, STEP, spec=spec, inputs=inputs, seed=seeds[0] if seeds else None, started=started)


def read_module(run: str | Path, handle: str) -> tuple[ModuleSpec, str]:
    """The module that a run was trained with, and the digest of its content then.

    Raises
    ------
    SettingsError
        The run does not say.
    """
    recorded = _spec(run).get("modules", {}).get(handle)
    if recorded is None:
        raise SettingsError(f"{run}: run.json does not say what module {handle!r} was; train again")
    table = {"handle": handle, **recorded.get("training", {}), **{name: recorded[name] for name in _OVERRIDES}}
    return parse(table, base=Path(recorded["base"])), recorded["info"]["digest"]


def read_heads(run: str | Path) -> dict[str, str]:
    """sha256 of the heads that the last training of a run wrote, by combination; empty where the run does not say."""
    heads = _spec(run).get("heads")
    return heads if isinstance(heads, dict) else {}


def read_reduced(run: str | Path) -> dict[str, str]:
    """sha256 of the reduced features that the last training of a run wrote, by name; empty where it does not say."""
    reduced = _spec(run).get("reduced")
    return reduced if isinstance(reduced, dict) else {}


def read_networks(run: str | Path) -> dict[str, str]:
    """sha256 of the networks that the last training of a run wrote, by name; empty where it does not say."""
    networks = _spec(run).get("networks")
    return networks if isinstance(networks, dict) else {}


def read_image_specs(run: str | Path, encoding: str) -> list[str] | None:
    """Column ``spec`` of the images that an encoding's heads were trained on; None where the run does not say."""
    specs: list[str] | None = _spec(run).get("pictures", {}).get(encoding)
    return specs


def read_members(run: str | Path, named: Mapping[str, str]) -> list[tuple[str, str]]:
    """Encoding and module handle of each row that a fused row joins; none where the row is not fused."""
    fused = _spec(run).get("fused", {}).get(named["encoding"], {})
    if named["module"] != f"fusion:{fused.get('how')}":
        return []
    return [(each["encoding"], each["module"]) for each in fused["members"]]


def fused_training(run: str | Path, named: Mapping[str, str], fold: str) -> dict[str, Any]:
    """What a model's card says of a fused row: its members, and their weights in a fold where there are any."""
    weights = _spec(run)["fused"][named["encoding"]]["weights"].get(combination_name(named), {})
    members = [{"encoding": encoding, "module": module} for encoding, module in read_members(run, named)]
    return {"members": members, **({"weights": weights[fold]} if fold in weights else {})}


def read_caveats(run: str | Path) -> list[str]:
    """What the steps of a run noted on its clips and their folds, a sentence each."""
    steps = read_steps(run)
    found = [line for step in (CORPUS, STEP) for line in steps.get(step, {}).get("spec", {}).get("notes") or ()]
    return [as_sentence(str(line)) for line in dict.fromkeys(found)]


def as_sentence(text: str) -> str:
    """A note with a full stop at its end."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _module_to_json(module: ModuleSpec, info: ModuleInfo) -> dict[str, Any]:
    base = str(module.base.resolve())
    training: dict[str, Any] = {}
    if is_network(module):
        given = {"finetune": module.finetune, "named": module.named, **module.training()}
        training = {"training": {"handle": module.handle, **given}}
    return {
        **module.overrides(),
        **training,
        "base": base,
        "info": module_to_json(info),
        "precision": precision(module, info),
    }


def _spec(run: str | Path) -> dict[str, Any]:
    spec: dict[str, Any] = read_steps(run).get(STEP, {}).get("spec", {})
    return spec
