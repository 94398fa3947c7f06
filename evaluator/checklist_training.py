"""What a run can answer of a referee's questions on its models: heads, networks, rows that join others.

What is said of a network's settings is what the study gives and, where it gives nothing, what is usual for its kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evaluator.checklist_facts import RunFacts, as_code, as_text
from harness.errors import SoundfoldError
from harness.hub.kinds import network_settings, parse

__all__ = ["evaluated", "models", "tested_apart", "tuned"]

_HEADS = {
    "lbfgs": "multinomial logistic regression with an L2 penalty",
    "sgd": "a linear softmax layer by gradient descent",
}
_FUSED = {
    "mean": "the mean of the log scores of",
    "weighted": "the weighted mean of the log scores of",
    "vectors": "one head on the joined feature vectors of",
}


def models(facts: RunFacts) -> str | None:
    """5a: what was trained."""
    spec = facts.spec("train")
    modules = spec.get("modules") or {}
    if not modules:
        return None
    lines = [_model_line(handle, own) for handle, own in modules.items()]
    said = []
    if _has_heads(spec):
        head = _HEADS.get(str(spec.get("head")), as_code(spec.get("head")))
        where = "the features of modules whose weights are fixed" if _networks(spec) else "these features"
        said.append(f"On {where}: {head}.")
    if _networks(spec):
        said.append("The last layer of a network is a linear softmax layer, trained with the rest of it.")
    seeds = ", ".join(map(str, spec.get("seeds") or []))
    said.append(f"Output: a probability for each class. Seeds: {seeds}.")
    fused = [_fused_line(name, own) for name, own in _fused(spec).items()]
    return "\n".join([*lines, *(["", "Rows that join others:", "", *fused] if fused else []), "", " ".join(said)])


def evaluated(facts: RunFacts) -> str:
    """5c: on what it was trained, chosen and tested."""
    spec = facts.spec("train")
    found = [_split_words(facts, spec)]
    settings = [_settings(own) for own in _networks(spec).values()]
    fixed = sum(own.get("patience") == 0 for own in settings)
    if fixed:
        found.append(
            "Networks with `patience = 0` are trained once, on all clips that may be trained on, for the given number "
            "of epochs."
        )
    if fixed < len(settings):
        found.append(
            f"{'Other networks' if fixed else 'Networks'} are trained twice: without the validation clips, to choose "
            "the number of epochs on these, and then anew, on all clips that may be trained on, for that number; the "
            "second scores the tested clips."
        )
    if _weighted(spec):
        found.append(
            f"Weights of {_listed(_weighted(spec))} are chosen on the validation clips, by scores of heads that were "
            "fitted without these; the members' heads that score the tested clips are fitted to all training clips."
        )
    return " ".join(found)


def tuned(facts: RunFacts) -> str | None:
    """5e: what was chosen, by what and on what."""
    spec = facts.spec("train")
    networks = _networks(spec)
    parts = [_tuned_heads(spec) if _has_heads(spec) else None, _tuned_networks(spec, networks) if networks else None]
    if _weighted(spec):
        parts.append(
            f"The members' weights of {_listed(_weighted(spec))} were chosen by the log loss on validation clips; "
            "`run.json` has them (`train`, `fused`)."
        )
    return "\n\n".join(filter(None, parts)) or None


def tested_apart(facts: RunFacts) -> str | None:
    """6a: how tested clips were kept out of training."""
    spec = facts.spec("train")
    if not spec:
        return None
    networks, heads = _networks(spec), _has_heads(spec)
    lines = []
    if heads:
        which = "Each clip that a head scores" if networks else "Each tested clip"
        lines.append(f"{which} is scored by a head that was not fitted on clips of its fold.")
    if heads and spec.get("head") == "lbfgs":
        lines.append(
            "Features are standardised by the training clips of each fold, and no regularisation is chosen on its "
            "clips; 5d says what was chosen among whole combinations."
        )
    if networks:
        lines.append(
            "Each clip that a network scores is scored by one that was not trained on clips of its fold, and whose "
            "number of epochs was not chosen on them; changes of images at random are made in training alone. By "
            "which clips its other settings were found is not known to the run."
        )
    if _weighted(spec):
        lines.append(f"No weights of {_listed(_weighted(spec))} were chosen on clips of the tested fold.")
    lines += _levels(facts) + _changed_labels(facts)
    scratch = [own for own in networks.values() if not own["training"].get("finetune")]
    if not scratch or len(scratch) < len(spec.get("modules") or {}):
        lines.append("What the modules themselves were trained on is not known to the run.")
    return " ".join(lines)


def _split_words(facts: RunFacts, spec: Mapping[str, Any]) -> str:
    """Which clips were tested by models of which others."""
    single = spec.get("single_split")
    if single:
        return (
            f"A single split: fitted on {single['train']} clips, chosen on {single['validation']}, tested on "
            f"{single['test']} ({as_code(single['tested'])})."
        )
    n = facts.tested["fold"].nunique()
    if n < 2:
        return "One set of tested clips; the table does not say what models were fitted on."
    corpus = facts.spec("corpus")
    assigned = bool(corpus.get("folds") or corpus.get("split") or corpus.get("lists"))
    source = " They were given by the study's settings." if assigned else ""
    model = " or ".join(["head"] * _has_heads(spec) + ["network"] * bool(_networks(spec)))
    tested = f"each clip is tested once, by the {model} that was fitted without its fold" if spec else "each clip is in"
    more = f" Fitted and tested again over {facts.repeats} other groupings (`repeats.csv`)." if facts.repeats else ""
    return f"Cross-validation over {n} folds: {tested}{'' if spec else ' one'}.{source}{more}"


def _tuned_heads(spec: Mapping[str, Any]) -> str | None:
    if spec.get("head") == "lbfgs":
        strengths = ", ".join(f"{value:g}" for value in spec.get("strengths") or [])
        single = spec.get("single_split") or {}
        where = "for each fold by the log loss on training clips that are not tested"
        if single:
            part = "the validation part" if single.get("validation_part") else "a part of the training clips"
            where = f"by the log loss on {part}"
        of = " of heads" if _networks(spec) else ""
        return (
            f"The regularisation{of} was chosen {where}, among "
            f"C = {strengths}; `run.json` has what was chosen. Within a combination no other setting was searched."
        )
    if spec.get("head") == "sgd":
        given = ", ".join(
            f"{name} {spec[name]}" for name in ("steps", "learning_rate", "train_batch_size") if name in spec
        )
        of = " for heads" if _networks(spec) else ""
        return f"Nothing was chosen by the run{of}: {as_text(given)}."
    return None


def _tuned_networks(spec: Mapping[str, Any], networks: Mapping[str, Any]) -> str:
    """Epochs, and the head that fine-tuning starts from."""
    settings = {handle: _settings(own) for handle, own in networks.items()}
    chosen = [handle for handle, own in settings.items() if own.get("patience") != 0]
    fixed = [handle for handle in settings if handle not in chosen]
    lines = []
    for monitor in ("loss", "accuracy"):
        by = [handle for handle in chosen if settings[handle].get("monitor", "loss") == monitor]
        if by:
            what = "log loss" if monitor == "loss" else monitor
            lines.append(f"The number of epochs was chosen by the {what} on validation clips, for {_listed(by)}.")
    if fixed:
        lines.append(f"The number of epochs was given, and nothing chosen, for {_listed(fixed)}.")
    lines.append("All other settings of networks are those of 5a; the run searched none.")
    if any(own.get("start") == "fitted" for own in settings.values()):
        lines.append(
            "Fine-tuning starts from a logistic regression on the features of the module as it comes, whose "
            "regularisation is chosen on training clips that are not tested."
        )
    rows = {key: own for key, own in (spec.get("chosen") or {}).items() if "--network--seed" in key}
    epochs = [f"- {as_code(key)}: {_by_fold(own)}" for key, own in rows.items()]
    return " ".join(lines) + ("\n\nEpochs that networks were trained for:\n\n" + "\n".join(epochs) if epochs else "")


def _levels(facts: RunFacts) -> list[str]:
    references = [
        name
        for name, own in (facts.spec("convert").get("encodings") or {}).items()
        if isinstance(own.get("ref"), (int, float))
    ]
    if not references:
        return []
    return [f"One level (`ref`) for all images of {_listed(references)}: if it was measured, then on test clips too."]


def _changed_labels(facts: RunFacts) -> list[str]:
    changes = facts.spec("corpus").get("label_changes")
    if not changes:
        return []
    return [
        f"{len(changes['labels'])} labels were changed by {as_code(changes['table'])}: where they were proposed by "
        "scores, not by ear, the proposals came from heads that had seen clips that are tested here."
    ]


def _model_line(handle: str, own: Mapping[str, Any]) -> str:
    """A module, and whether its weights are trained."""
    info = own.get("info") or {}
    takes = "the sound itself" if info.get("takes") == "waveform" else "an image"
    said = f"- {as_code(handle)}: takes {takes}, gives {info.get('features')} features; "
    given = own.get("training")
    if not given:
        return f"{said}its weights are fixed"
    how = "its weights are fine-tuned" if given.get("finetune") else "a network, all weights trained from scratch"
    shown = ((name, value) for name, value in _settings(own).items() if value != 0 or name == "patience")
    return f"{said}{how}: {as_text(', '.join(f'{name} {value}' for name, value in shown))}"


def _fused_line(name: str, own: Mapping[str, Any]) -> str:
    members = ", ".join(f"{as_code(each['encoding'])} through {as_code(each['module'])}" for each in own["members"])
    how = _FUSED.get(str(own.get("how")), as_code(own.get("how")))
    return f"- {as_code(name)} (`fusion:{own.get('how')}`): {how} {members}"


def _settings(own: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network; those that were given where its kind is not known here."""
    given = {name: value for name, value in own["training"].items() if name not in ("handle", "finetune", "named")}
    try:
        found = network_settings(parse(own["training"])).to_json()
    except SoundfoldError:  # a kind of modules that a file has, which this command was not given
        return given
    unused = {
        "momentum": found["optimizer"] != "sgd",
        "monitor": not found["patience"],
        "start": not own["training"].get("finetune"),
    }
    return {name: value for name, value in found.items() if not unused.get(name)}


def _networks(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The modules whose weights are trained."""
    return {handle: own for handle, own in (spec.get("modules") or {}).items() if own.get("training")}


def _has_heads(spec: Mapping[str, Any]) -> bool:
    """Whether heads are fitted to features of modules as they come; so it is where the run names no module."""
    return not spec.get("modules") or len(_networks(spec)) < len(spec["modules"])


def _fused(spec: Mapping[str, Any]) -> dict[str, Any]:
    return spec.get("fused") or {}


def _weighted(spec: Mapping[str, Any]) -> list[str]:
    """The rows that join others by weights that are chosen."""
    return [name for name, own in _fused(spec).items() if own.get("how") == "weighted"]


def _by_fold(chosen: Mapping[str, Any]) -> str:
    return ", ".join(f"fold {as_text(fold)}: {epochs}" for fold, epochs in chosen.items())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(as_code, names))
