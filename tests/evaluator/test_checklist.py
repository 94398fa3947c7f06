"""The checklist for the referee: answers that the run has, true ones; what somebody has edited stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from evaluator import evaluate, results
from evaluator.checklist import write_checklist
from harness.record import record_step
from harness.tables import DUPLICATES, FAILURES, frame, write


@pytest.fixture(autouse=True)
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots take a second each, and say nothing here."""
    monkeypatch.setattr(results, "write_confusion", lambda *_, **__: Path("confusion.png"))
    monkeypatch.setattr(results, "write_heat_map", lambda *_: None)


def answers(folder: Path) -> dict[str, str]:
    """What each item says, by its number."""
    text = (folder / "checklist.md").read_text(encoding="utf-8")
    parts = re.split(r"\*\*(\d[a-h])\. ", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_items_are_all_there(run_folder: Path, tmp_path: Path) -> None:
    evaluate(run_folder, out=tmp_path)
    found = answers(tmp_path)
    counts = {"1": 3, "2": 5, "3": 7, "4": 3, "5": 6, "6": 3, "7": 3, "8": 2}
    assert list(found) == [f"{k}{letter}" for k, n in counts.items() for letter in "abcdefgh"[:n]]
    assert all("*To fill in:*" in text for text in found.values())


def test_a_table_without_a_record_claims_nothing_of_its_training(run_folder: Path, tmp_path: Path) -> None:
    evaluate(run_folder, out=tmp_path)
    found = answers(tmp_path)
    for number in ("2a", "2b", "2e", "4a", "4c", "5a", "5e", "6a", "6c", "8a"):
        assert found[number].split("**")[1].strip().startswith("*To fill in:*"), number
    assert "does not record a search for the same sound" in found["6b"]
    assert "100 clips were tested" in found["3e"]


def test_what_the_record_says_is_said(small_run: Path) -> None:
    corpus = {
        "name": "birds", "classes": ["bell", "cat", "dog", "rain"], "near_duplicates": True, "notes": ["a `note` <b>"],
        "label_changes": {"table": "labels.csv", "scope": "training", "labels": {"1.wav": "cat"}, "dropped": ["2.wav"]},
    }  # fmt: skip
    record_step(small_run, "corpus", spec=corpus)
    strengths = [0.1, 1.0]
    record_step(
        small_run, "train", spec={"head": "lbfgs", "strengths": strengths, "seeds": [0], "shared_groups": "drop"}
    )
    rows = [{"clip_a": "1.wav", "clip_b": "2.wav", "fold_a": "2", "fold_b": "3", "kind": "near"}]
    write(frame(rows, DUPLICATES), small_run / DUPLICATES.name, DUPLICATES)
    write(
        frame([{"clip_id": "x.wav", "step": "convert", "reason": "cut"}], FAILURES),
        small_run / "failures.csv",
        FAILURES,
    )
    evaluate(small_run)
    found = answers(small_run)
    assert "Corpus `birds`: 100 clips." in found["2a"]
    assert "1 clips could not be used" in found["3f"]
    assert "Only these classes were taken: `bell`" in found["4a"]
    assert "1 clips were left out in training by `labels.csv`" in found["4a"]
    assert "C = 0.1, 1;" in found["5e"]
    assert "was not fitted on clips of its fold" in found["6a"]
    assert "1 labels were changed by `labels.csv`" in found["6a"]
    assert "Groups in several folds: 0." in found["6b"]
    assert "pairs found: 1." in found["6b"]
    assert r"a \`note\` \<b\>" in found["6b"]


CNN = {"training": {"handle": "cnn:small", "finetune": False, "spec_augment": 0.1}, "info": {"features": 64}}
TUNED = {"training": {"handle": "keras:MobileNetV2", "finetune": True, "patience": 0}, "info": {"features": 1280}}
FROZEN = {"info": {"features": 6936}}
TRAINED = {"strengths": [0.1, 1.0], "seeds": [0], "head": "lbfgs"}


def of_training(run: Path, **spec: object) -> dict[str, str]:
    """The checklist of a run whose training is recorded so."""
    record_step(run, "train", spec={**TRAINED, **spec})
    evaluate(run)
    return answers(run)


def test_networks_are_not_said_to_be_heads(small_run: Path) -> None:
    modules = {"cnn:small (masks)": CNN, "keras:MobileNetV2 (fine-tuned, patience=0)": TUNED}
    chosen = {"gray--cnn--network--seed0": {"1": 12, "2": 9}}
    found = of_training(small_run, modules=modules, chosen=chosen)
    scratch, tuned = (line for line in found["5a"].splitlines() if line.startswith("- "))
    assert "all weights trained from scratch: epochs 60, patience 10" in scratch
    assert r"spec\_augment 0.1" in scratch
    assert "weights are fine-tuned: epochs 10" in tuned
    assert "patience 0" in tuned
    assert "the network that was fitted without its fold" in found["5c"]
    assert "chosen by the log loss on validation clips, for `cnn:small (masks)`." in found["5e"]
    assert "nothing chosen, for `keras:MobileNetV2 (fine-tuned, patience=0)`." in found["5e"]
    assert "fold 1: 12, fold 2: 9" in found["5e"]
    assert "one that was not trained on clips of its fold" in found["6a"]
    for number, wrong in (("5a", "its weights are fixed"), ("5a", "L2"), ("5e", "C = "), ("6a", "standardised")):
        assert wrong not in found[number], (number, wrong)


def test_a_run_of_heads_and_networks_says_both(small_run: Path) -> None:
    found = of_training(small_run, modules={"builtin:scattering": FROZEN, "cnn:small": CNN})
    assert "`builtin:scattering`: takes an image, gives 6936 features; its weights are fixed" in found["5a"]
    assert "On the features of modules whose weights are fixed: multinomial logistic regression" in found["5a"]
    assert "by the head or network that was fitted" in found["5c"]
    assert "among C = 0.1, 1;" in found["5e"]
    assert "The number of epochs was chosen" in found["5e"]
    assert "Each clip that a head scores is scored by a head that was not fitted" in found["6a"]
    assert "one that was not trained" in found["6a"]


def test_a_network_of_a_kind_that_is_not_known_here_has_the_settings_that_were_given(small_run: Path) -> None:
    own = {"training": {"handle": "mine:net", "finetune": True, "epochs": 3}, "info": {"features": 2}}
    found = of_training(small_run, modules={"mine:net (fine-tuned, epochs=3)": own})
    assert "its weights are fine-tuned: epochs 3\n" in found["5a"]


def test_rows_that_join_others_are_named_and_what_chose_their_weights(small_run: Path) -> None:
    members = [{"encoding": name, "module": "builtin:scattering"} for name in ("gray", "logmel")]
    fused = {"both": {"how": "weighted", "members": members}, "plain": {"how": "mean", "members": members}}
    found = of_training(small_run, modules={"builtin:scattering": FROZEN}, fused=fused)
    assert "- `both` (`fusion:weighted`): the weighted mean of the log scores of `gray` through" in found["5a"]
    assert "- `plain` (`fusion:mean`): the mean of the log scores of" in found["5a"]
    assert "Weights of `both` are chosen on the validation clips" in found["5c"]
    assert "weights of `both` were chosen by the log loss on validation clips" in found["5e"]
    assert "No weights of `both` were chosen on clips of the tested fold." in found["6a"]


def test_groups_in_several_folds_are_counted(make_predictions: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    table = make_predictions({("gray", "m", "lbfgs"): 0.8})
    groups = {clip: f"g{int(clip[:-4]) // 2}" for clip in table["clip_id"]}
    (tmp_path / "run").mkdir()
    table.assign(group=table["clip_id"].map(groups)).to_csv(tmp_path / "run" / "predictions.csv", index=False)
    evaluate(tmp_path / "run")
    assert "Groups in several folds: 50." in answers(tmp_path / "run")["6b"]


def test_the_same_run_gives_the_same_file_and_an_edited_one_stays(small_run: Path) -> None:
    assert not any("checklist" in line for line in evaluate(small_run).warnings)
    first = (small_run / "checklist.md").read_bytes()
    evaluate(small_run)
    assert (small_run / "checklist.md").read_bytes() == first
    edited = first.replace(b"*To fill in:* the reason", b"Because of the owls.")
    (small_run / "checklist.md").write_bytes(edited)
    warned = evaluate(small_run).warnings
    assert "checklist.md was edited and left as it is; remove it to have it written anew." in warned
    assert (small_run / "checklist.md").read_bytes() == edited
    (small_run / "checklist.md").unlink()
    evaluate(small_run)
    assert (small_run / "checklist.md").read_bytes() == first


@pytest.mark.parametrize("name", ["a`b", "<script>", "x|y", "Ölgötze 🎺"])
def test_names_are_shown_as_they_are(make_predictions: Callable[..., pd.DataFrame], tmp_path: Path, name: str) -> None:
    table = make_predictions({("gray", "m", "lbfgs"): 0.8}, classes=(name, "cat"))
    (tmp_path / "run").mkdir()
    table.to_csv(tmp_path / "run" / "predictions.csv", index=False)
    evaluate(tmp_path / "run")
    fence = "``" if "`" in name else "`"
    shown = f"{fence} {name} {fence}" if "`" in name else f"{fence}{name}{fence}"
    assert f"{shown} 50" in answers(tmp_path / "run")["3d"]


def test_a_file_that_is_empty_is_written(tmp_path: Path) -> None:
    (tmp_path / "checklist.md").write_text("")
    assert write_checklist("text\n", tmp_path / "checklist.md") == ""
    assert write_checklist("text 2\n", tmp_path / "checklist.md") == ""
    assert "text 2" in (tmp_path / "checklist.md").read_text()
