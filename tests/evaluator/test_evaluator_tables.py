"""The tables that people read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from evaluator.combinations import Combination, combinations_of, short_modules, titles
from evaluator.comparisons import compare, families_of
from evaluator.intervals import bootstrap
from evaluator.metrics import metrics_table
from evaluator.outcomes import outcomes_of
from evaluator.predictions import prepare
from evaluator.tables import (
    as_latex,
    as_markdown,
    fold_table,
    percent,
    ranking,
    ranking_text,
    readable,
    readable_differences,
    readable_folds,
    recall_table,
    spread,
)
from evaluator.verdict import p_text, signed, verdict_sentences
from harness.errors import TableError


def test_best_first_with_mean_and_deviation_over_folds(table: pd.DataFrame) -> None:
    metrics = metrics_table(table)
    ranked = ranking(metrics, table, bootstrap(table))
    assert list(ranked["accuracy"]) == sorted(ranked["accuracy"], reverse=True)
    folds = fold_table(metrics, ranked)
    values = folds[["1", "2", "3", "4", "5"]].to_numpy()
    np.testing.assert_allclose(ranked["accuracy"], values.mean(axis=1))
    np.testing.assert_allclose(ranked["std"], values.std(axis=1, ddof=1))
    assert (ranked["low"] < ranked["accuracy"]).all()
    assert (ranked["high"] > ranked["accuracy"]).all()
    assert list(ranked["clips"]) == [100] * 6
    assert list(folds["encoding"]) == list(ranked["encoding"])


def test_text_is_aligned_and_short(table: pd.DataFrame) -> None:
    text = ranking_text(ranking(metrics_table(table), table))
    lines = text.splitlines()
    assert len(lines) == 7
    assert lines[0].split() == ["encoding", "module", "accuracy", "macro", "F1", "folds", "clips"]
    assert lines[1].startswith("gray      builtin:scattering    ")
    assert "mobilenet_v2_100_224" in text
    assert "https" not in text
    assert "lbfgs" not in text, "one head tells nothing apart"
    edge = lines[0].index("accuracy") + len("accuracy")
    assert all(line[edge - 1].isdigit() and line[edge : edge + 2] == "  " for line in lines[1:])


def test_markdown_and_latex() -> None:
    table = pd.DataFrame({"encoding": ["log_mel", "a|b"], "accuracy": ["94.3 ± 2.3", "9.0 ± 1.0"]})
    assert as_markdown(table) == (
        "| encoding | accuracy |\n| --- | ---: |\n| log_mel | 94.3 ± 2.3 |\n| a\\|b | 9.0 ± 1.0 |\n"
    )
    assert r"log\_mel & 94.3 $\pm$ 2.3 \\" in as_latex(table)
    assert r"\begin{tabular}{lr}" in as_latex(table)


def test_latex_is_escaped_as_pandas_does_it() -> None:
    table = pd.DataFrame([[r"a&%$#_{}~^\ b  c", "~ x", "^ y \\"]], columns=["a_b", "c", "d"])
    style = table.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    assert as_latex(table) == style.to_latex(hrules=True, column_format="lll")


def test_percent_rounds_halves_up_as_people_do() -> None:
    assert [percent(v) for v in (0.9425, 0.8825, 0.0, 1.0, 0.99949, np.nan)] == [
        "94.3", "88.3", "0.0", "100.0", "99.9", "",
    ]  # fmt: skip
    assert spread(0.9425, 0.023) == "94.3 ± 2.3"
    assert spread(0.9425, np.nan) == "94.3"
    assert [signed(v) for v in (0.0171, -0.0025, -0.0001)] == ["+1.7", "−0.3", "0.0"]
    assert [p_text(p) for p in (0.9995, 0.05, 0.0005)] == ["1", ".050", "< .001"]


def test_seeds_have_a_deviation_of_their_own(make_predictions: Callable[..., pd.DataFrame]) -> None:
    key = ("gray", "m", "lbfgs")
    table = make_predictions({key: 0.8}, seeds=("0", "1", "10"))
    metrics = metrics_table(table)
    ranked = ranking(metrics, table)
    overall = metrics[(metrics["metric"] == "accuracy") & (metrics["class"] == "")]
    means = overall[overall["fold"] == "mean"]["value"]
    assert ranked["accuracy"][0] == pytest.approx(means.mean())
    assert ranked["std_seeds"][0] == pytest.approx(means.std(ddof=1))
    assert ranked["std"][0] == pytest.approx(overall[overall["fold"] == "std"]["value"].mean())
    assert list(fold_table(metrics, ranked)["seed"]) == ["0", "1", "10"]
    assert "over seeds" in readable(ranked)


def test_folds_and_differences_as_people_print_them(table: pd.DataFrame) -> None:
    metrics, samples = metrics_table(table), bootstrap(table)
    ranked = ranking(metrics, table, samples)
    folds = readable_folds(fold_table(metrics, ranked))
    assert list(folds) == ["encoding", "module", "1", "2", "3", "4", "5", "mean"]
    assert folds["mean"][0] == spread(ranked["accuracy"][0], ranked["std"][0])
    found = compare(metrics, families_of(combinations_of(ranked)), samples, outcomes_of(table))
    printed = readable_differences(found)
    assert len(printed) == 5
    assert printed["difference"].tolist() == [signed(d.difference) for d in found]
    starred = [p.endswith("*") for p in printed["new recordings: p"]]
    assert starred == [d.decided_recordings for d in found]
    assert any(starred)
    assert "& $-$0.3 &" in as_latex(pd.DataFrame([["a", signed(-0.003), "1"]], columns=list("xyz")))
    assert readable_differences([]).empty


def test_recall_per_class(table: pd.DataFrame) -> None:
    metrics = metrics_table(table)
    found = recall_table(metrics, ranking(metrics, table)).set_index(["encoding", "module"])
    part = table[(table["encoding"] == "gray") & (table["module"] == "builtin:scattering") & (table["label"] == "cat")]
    assert found.loc[("gray", "builtin:scattering"), "cat"] == pytest.approx((part["predicted"] == "cat").mean())


def test_modules_are_shortened_only_where_that_is_clear() -> None:
    a, b = "https://tfhub.dev/x/mobilenet/feature_vector/5", "https://tfhub.dev/y/mobilenet/feature_vector/4"
    assert short_modules([a]) == {a: "mobilenet"}
    assert short_modules([a, b]) == {a: a, b: b}
    same = ["builtin:scattering", "keras:MobileNetV2", "kaggle:google/yamnet/tensorFlow2/yamnet"]
    assert short_modules(same) == {k: k for k in same}
    assert short_modules(["../modules/net", "C:\\modules\\other"]) == {
        "../modules/net": "net", "C:\\modules\\other": "other",
    }  # fmt: skip


def sentences(table: pd.DataFrame, baseline: str = "") -> str:
    metrics, samples = metrics_table(table), bootstrap(table)
    ranked = ranking(metrics, table, samples)
    found = compare(metrics, families_of(combinations_of(ranked), baseline), samples, outcomes_of(table))
    return " ".join(verdict_sentences(ranked, found, table, samples=samples))


def test_the_verdict_says_best_second_and_how_many(table: pd.DataFrame) -> None:
    text = sentences(table)
    assert text.startswith("gray on builtin:scattering has the highest accuracy: ")
    assert "over 5 folds, 100 clips; 95 % interval " in text
    assert "Holm over 15 pairs" in text
    assert "sign flips of clips, 15 pairs together" in text
    assert "Not decided, which does not mean equal: " in text
    assert "chosen among 6 combinations" in text
    assert "most frequent class would give 25.0 %" in text


def test_the_verdict_tells_real_from_not(make_predictions: Callable[..., pd.DataFrame]) -> None:
    far = make_predictions({("gray", "m", "h"): 0.95, ("logmel", "m", "h"): 0.3}, n=400)
    assert "new recordings (sign flips of clips, level 5 %): better than logmel on m (+" in sentences(far)
    assert "new training sets (corrected t over 5 folds, level 5 %): better than logmel on m (+" in sentences(far)
    near = make_predictions({("gray", "m", "h"): 0.8, ("logmel", "m", "h"): 0.8}, n=400)
    for asked in ("sign flips of clips", "corrected t over 5 folds"):
        assert f"({asked}, level 5 %): not shown to be better than " in sentences(near)
    single = make_predictions({("gray", "m", "h"): 0.8, ("logmel", "m", "h"): 0.5}, folds=1)
    assert "new recordings (sign flips of clips, level 5 %): better than logmel on m (+" in sentences(single)
    assert "new training sets: one fold has no answer" in sentences(single)
    alone = make_predictions({("gray", "m", "h"): 0.8})
    assert "gray on m was tested alone" in sentences(alone)


def test_the_verdict_against_a_baseline(table: pd.DataFrame) -> None:
    scattering = table[table["module"] == "builtin:scattering"]
    text = sentences(scattering, "waveform")
    assert (
        "Against the baseline (waveform on builtin:scattering). These models, new recordings, level 5 % for these "
        "pairs alone: better: " in text
    )
    assert "better than 1 of the 2 others. Not decided, which does not mean equal: " in text


def test_equal_rows_are_both_best_and_right_on_the_same_clips(make_predictions: Callable[..., pd.DataFrame]) -> None:
    one = make_predictions({("a", "m", "h"): 0.8})
    text = sentences(pd.concat([one, one.assign(encoding="z")], ignore_index=True))
    assert text.startswith("a on m and z on m have the same highest accuracy: ")
    assert "right on the same clips" in text
    assert "decided above 0.0" not in text


def test_a_row_that_lacks_the_hardest_fold_is_not_best(make_predictions: Callable[..., pd.DataFrame]) -> None:
    both = make_predictions({("a", "m", "h"): 0.8, ("b", "m", "h"): 0.8})
    hard = both["fold"] == "5"
    both.loc[hard, "predicted"] = "nothing"
    lacking = prepare(both[~(hard & (both["encoding"] == "b"))].reset_index(drop=True))
    text = sentences(lacking)
    assert text.startswith("a on m has the highest accuracy: ")
    assert "1 of the 2 combinations lack folds, and come last in the ranking" in text


def test_folds_of_very_different_sizes_are_said(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({("a", "m", "h"): 0.8})
    assert "count alike in the mean" not in sentences(table)
    small = prepare(table[(table["fold"] != "2") | (table["clip_id"] == "1.wav")].reset_index(drop=True))
    assert "Folds have 1 to 20 clips and count alike in the mean" in sentences(small)


def test_seeds_of_other_clips_are_refused(make_predictions: Callable[..., pd.DataFrame]) -> None:
    table = make_predictions({("a", "m", "h"): 0.8}, seeds=("0", "1"))
    part = table[(table["seed"] == "0") | (table["fold"] == "1")].reset_index(drop=True)
    with pytest.raises(
        TableError, match=r"encoding='a' module='m' head='h': seed '1' lacks 80 of 100 clips, the first"
    ):
        prepare(part)


def test_no_html_in_markdown() -> None:
    assert as_markdown(pd.DataFrame({"<b>": ["a & <img onerror=x>|"]})).splitlines()[2] == (
        "| a &amp; &lt;img onerror=x&gt;\\| |"
    )


def test_the_head_is_named_where_there_are_several() -> None:
    a, b = Combination("gray", "m", "lbfgs"), Combination("gray", "m", "sgd")
    assert list(titles([a, b]).values()) == ["gray on m (lbfgs)", "gray on m (sgd)"]
    assert titles([a]) == {a: "gray on m"}
    assert titles([Combination("gray", "", "")]) == {("gray", "", ""): "gray"}
