"""A run folder evaluated as a whole: the result, its files, its report, its command line."""

from __future__ import annotations

import re
import shutil
import sys
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from typer.testing import CliRunner

import evaluator
from evaluator import Combination, Evaluation, compare_runs, comparisons, evaluate, results
from evaluator.__main__ import app
from evaluator.notes import find_warnings
from evaluator.permutation import SignFlips, sign_flips
from harness.cli import guard
from harness.errors import SettingsError, TableError
from harness.record import read_steps, record_step
from harness.shared_groups import NO_GROUPS
from harness.store import Store
from harness.tables import FAILURES, METRICS, PREDICTIONS, frame, read, write
from harness.written import claim


def test_the_package_has_the_names_that_it_lists() -> None:
    assert sorted(evaluator.__all__) == evaluator.__all__
    assert all(getattr(evaluator, name) for name in evaluator.__all__)


def test_the_result_has_tables_and_one_display(evaluated: Evaluation, table: pd.DataFrame) -> None:
    assert evaluated.best == Combination("gray", "builtin:scattering", "lbfgs")
    assert evaluated.warnings == ("a warning from the study",)
    text, verdict = str(evaluated).split("\n\n")
    assert text == evaluator.ranking_text(evaluated.ranking)
    assert text.splitlines()[1].startswith("gray      builtin:scattering")
    assert tuple(verdict.splitlines()) == evaluated.verdict
    assert "by bootstrap over 50 groups" in verdict, "the groups of clips.csv"
    assert NO_GROUPS not in verdict
    assert evaluated.confusion.counts.sum() == 100
    pd.testing.assert_frame_equal(evaluated.predictions, table)


def test_everything_is_written(evaluated: Evaluation) -> None:
    out = evaluated.report.parent
    assert evaluated.report.name == "report.html"
    printed = [f"{name}.{kind}" for name in ("ranking", "folds", "differences") for kind in ("md", "tex")]
    for name in (*printed, "heatmap.png"):
        assert (out / name).stat().st_size > 0, name
    assert len(read(out / "metrics.csv", METRICS)) > 500
    for name in ("ranking", "folds", "recall", "differences"):
        written = pd.read_csv(out / f"{name}.csv", dtype={"seed": str})
        pd.testing.assert_frame_equal(written, getattr(evaluated, name), check_dtype=False)
    names = sorted(p.name for p in (out / "confusion").glob("gray-builtin*"))
    stem = "gray-builtin_scattering-lbfgs"
    assert names == [f"{stem}.csv", f"{stem}.png", f"{stem}.recall.png", f"{stem}.shares.csv", f"{stem}.txt"]
    assert len(list((out / "confusion").glob("*.png"))) == 2


def test_csv_shapes(evaluated: Evaluation) -> None:
    assert list(evaluated.ranking.columns) == [
        "encoding", "module", "head", "accuracy", "std", "std_seeds", "low", "high", "macro_f1",
        "balanced_accuracy", "folds", "seeds", "clips",
    ]  # fmt: skip
    assert list(evaluated.folds.columns) == [
        "encoding", "module", "head", "seed", "1", "2", "3", "4", "5", "mean", "std",
    ]  # fmt: skip
    assert list(evaluated.recall.columns[3:]) == ["bell", "cat", "dog", "rain"]
    assert len(evaluated.differences) == 5
    path = evaluated.report.parent / "confusion" / "gray-builtin_scattering-lbfgs.csv"
    matrix = pd.read_csv(path, index_col="label")
    assert int(matrix.to_numpy().sum()) == 100
    assert list(matrix.index) == list(matrix.columns) == ["bell", "cat", "dog", "rain"]


def test_a_second_run_in_another_row_order_gives_the_same_bytes_and_run_json_has_the_other_steps(
    small_run: Path,
) -> None:
    def files() -> dict[str, bytes]:
        found = sorted(p for p in small_run.rglob("*") if p.is_file())
        mine = [p for p in found if p.name not in ("run.json", "predictions.csv")]
        return {str(p.relative_to(small_run)): p.read_bytes() for p in mine}

    record_step(small_run, "train", spec={"head": "lbfgs"})
    evaluate(small_run, baseline="logmel")
    first = files()
    table = read(small_run / "predictions.csv", PREDICTIONS)
    write(table.sample(frac=1, random_state=5), small_run / "predictions.csv", PREDICTIONS)
    evaluate(small_run, baseline="logmel")
    assert files() == first
    steps = read_steps(small_run)
    assert set(steps) == {"train", "evaluate"}
    assert steps["evaluate"]["spec"] == {
        "baseline": "logmel", "all_pairs": False, "bootstrap_seed": 0, "all_pictures": False,
        "map": "pca", "suspects_from": [],
    }  # fmt: skip
    assert set(steps["evaluate"]["inputs"]) == {"predictions.csv", "clips.csv"}


def test_sign_flips_are_done_once_for_the_same_outcomes(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    first = evaluate(small_run, out=tmp_path / "first", store=store).differences
    calls: list[int] = []

    def counted(*arrays: np.ndarray, seed: int) -> SignFlips:
        calls.append(seed)
        return sign_flips(*arrays, seed=seed)

    monkeypatch.setattr(comparisons, "sign_flips", counted)
    assert_frame_equal(evaluate(small_run, out=tmp_path / "second", store=store).differences, first)
    assert not calls
    assert_frame_equal(evaluate(small_run, out=tmp_path / "third", store=Store(tmp_path / "other")).differences, first)
    evaluate(small_run, out=tmp_path / "fourth", store=store, seed=3)
    assert calls == [0, 3]


def test_old_files_go(small_run: Path) -> None:
    claim(small_run, ["heatmap.png"])
    (small_run / "heatmap.png").write_text("of an earlier evaluation")
    evaluate(small_run, all_plots=True)
    assert {p.name.split("-")[0] for p in (small_run / "confusion").glob("[!.]*")} == {"gray", "logmel"}
    assert len(list((small_run / "confusion").glob("*.png"))) == 4
    assert not (small_run / "heatmap.png").exists()
    evaluate(small_run)
    assert len(list((small_run / "confusion").glob("*.png"))) == 2


def test_the_report_embeds_the_confusion_matrix_and_asks_the_network_for_nothing(evaluated: Evaluation) -> None:
    html = evaluated.report.read_text(encoding="utf-8")
    images = dict(re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"[^>]* alt="([^"]+)"', html))
    plot = evaluated.report.parent / "confusion" / "gray-builtin_scattering-lbfgs.png"
    assert [b64decode(data) for data in images] == [plot.read_bytes()]
    right = int((evaluated.confusion.counts.diagonal()).sum())
    (alt,) = images.values()
    assert f"gray on builtin:scattering, 4 classes: {right} of 100 predictions are right; most often " in alt


def test_the_report_has_a_heat_map_of_encodings_and_modules(evaluated: Evaluation) -> None:
    html = evaluated.report.read_text(encoding="utf-8")
    table = html[html.index('<table class="heat">') :].partition("</table>")[0]
    assert re.findall(r"<th>([^<]*)", table)[:2] == ["encoding", "builtin:"]
    cells = re.findall(r'<td style="--s: ([\d.]+)">([\d.]+)</td>', table)
    best, last = evaluated.ranking["accuracy"].iloc[[0, -1]]
    assert len(cells) == 6
    assert ("1.0", f"{100 * best:.1f}") in cells
    assert ("0.0", f"{100 * last:.1f}") in cells


def test_the_report_says_what_it_should(small_run: Path) -> None:
    failures = [{"clip_id": "x.wav", "path": "/sounds/x.wav", "step": "convert", "reason": "cut <short>"}]
    write(frame(failures, FAILURES), small_run / "failures.csv", FAILURES)
    record_step(small_run, "train", spec={"head": "lbfgs"}, seed=0)
    steps = read_steps(small_run)
    found = evaluate(small_run, warnings=["groups are shared across folds"])
    html = found.report.read_text(encoding="utf-8")
    plain = html.replace("\u00a0", " ")
    for text in (
        "gray on builtin:scattering has the highest accuracy: ", "groups are shared across folds", "1 clip failed",
        "cut &lt;short&gt;",
        "chosen among 2 combinations", steps["train"]["versions"]["numpy"], "Who is taken for whom", "small",
    ):  # fmt: skip
        assert text in plain, text
    assert "<short>" not in html


def test_the_report_of_many_combinations_folds_the_pairs(evaluated: Evaluation) -> None:
    plain = evaluated.report.read_text(encoding="utf-8").replace("\u00a0", " ")
    for text in (
        "Holm over 15 pairs",
        "15 pairs together (max-T)",
        "chosen among 6 combinations",
        "mobilenet_v2_100_224",
        "esc10",
    ):
        assert text in plain, text


def test_a_report_of_one_combination_without_folds_scores_or_modules(tmp_path: Path) -> None:
    rows = [
        {"clip_id": f"{i}", "encoding": "gray", "label": "ab"[i % 2], "predicted": "ab"[i % 2 if i > 3 else 0]}
        for i in range(20)
    ]
    write(frame(rows, PREDICTIONS), tmp_path / "predictions.csv", PREDICTIONS)
    found = evaluate(tmp_path)
    assert found.verdict[0] == "gray was tested alone: 90.0 %."
    assert found.warnings == ("gray has no scores: no log loss, calibration error, AP and AUROC.",)
    assert found.verdict[1].endswith("by bootstrap over 20 clips.")
    assert found.verdict[2] == NO_GROUPS
    html = found.report.read_text(encoding="utf-8")
    assert "There is no run.json" in html
    assert "bootstrap over clips" in html
    assert NO_GROUPS in html
    assert "over groups" not in html
    assert "nan" not in re.sub('base64,[^"]+', "", html.lower())


def test_shared_groups_and_missing_predictions_are_warned_of(
    table: pd.DataFrame, make_clips: Callable[..., pd.DataFrame]
) -> None:
    clips = make_clips(table, {"0.wav": "g", "1.wav": "g"})
    groups = {**dict(zip(clips["clip_id"], clips["group"], strict=True)), "lost.wav": ""}
    short = table.drop(index=table.index[(table["encoding"] == "gray") & (table["clip_id"] == "5.wav")])
    metrics = evaluator.metrics_table(short)
    found = " ".join(find_warnings(short, groups, frame([], FAILURES), metrics))
    assert "Groups are shared across folds: 1, the first 'g'" in found
    assert "Without a prediction: 1 of 101 clips, the first 'lost.wav'" in found
    assert "different numbers of clips (99 to 100): gray on " in found
    assert " lacks 1, the first '5.wav'." in found


def test_errors_name_the_file(tmp_path: Path, run_folder: Path, small_run: Path) -> None:
    with pytest.raises(TableError, match=r"predictions.csv: no predictions there"):
        evaluate(tmp_path)
    with pytest.raises(SettingsError, match=r"baseline='gary': no such encoding; did you mean 'gray'"):
        evaluate(run_folder, baseline="gary")
    table = read(small_run / "predictions.csv", PREDICTIONS)
    write(table.assign(label=""), small_run / "predictions.csv", PREDICTIONS)
    with pytest.raises(TableError, match=r"predictions.csv: label is empty for 200 predictions"):
        evaluate(small_run)


HEADER = "clip_id,encoding,module,head,seed,fold,label,predicted,p:x,p:y"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["b,g,,,0,1,y"], "column 'predicted' is empty in row 3; line 3 has 7 cells, the header 10"),
        (["b,g,,,0,1,y,y,0,1,9"], "Expected 10 fields in line 3, saw 11"),
        (["b,g,,,0,1,y,y,0,much"], "column 'p:y', row 3: 'much' is not a number"),
        (["b,g,,,0,1,y,y,0,"], "column 'p:y' is empty in row 3"),
        (["", "b,g,,,0,1,y,y,0,1", '"two\nlines",g,,,0,1,y,y,0,1', "b,g,,,0,1,x,x,1,0"], "(rows 4 and 7)"),
        (["b,g,,,0,1,,y,0,1"], "label is empty for 1 predictions (the first in row 3)"),
        (["b,g,,,0,,y,y,0,1"], "fold is empty for 1 of 2 predictions (the first in row 3)"),
        (["a,l,,,0,1,y,y,0,1"], "clip 'a' has one label in row 2 and another in row 3"),
    ],
)
def test_a_broken_row_of_anybodys_table_is_named_with_its_line(tmp_path: Path, lines: list[str], message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([HEADER, "a,g,,,0,1,x,x,1,0", *lines, ""]))
    with pytest.raises(TableError, match=re.escape(message)) as caught:
        evaluate(path)
    assert str(path) in str(caught.value)


def test_anybodys_table_is_evaluated_into_a_folder_of_its_own(run_folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(run_folder / "predictions.csv", tmp_path / "mine.csv"))
    found = evaluate(path)
    assert found.report == tmp_path / "mine" / "report.html"
    assert (tmp_path / "mine" / "differences.csv").is_file()
    assert set(read_steps(tmp_path / "mine")["evaluate"]["inputs"]) == {"mine.csv"}
    assert NO_GROUPS in found.verdict, "clips.csv of another folder is not read"
    assert list(compare_runs([run_folder, path])["run"].unique()) == ["esc10", "mine"]
    named = evaluator.output_folders([run_folder / "predictions.csv"])
    assert named == {"esc10": run_folder}


def test_compare_runs_ranks_over_runs(run_folder: Path, tmp_path: Path, table: pd.DataFrame) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write(table.assign(predicted=table["label"]), other / "predictions.csv", PREDICTIONS)
    found = compare_runs([run_folder, other])
    assert list(found.columns[:2]) == ["run", "encoding"]
    assert list(found["run"][:6]) == ["other"] * 6
    assert len(found) == 12
    with pytest.raises(SettingsError, match="given twice"):
        compare_runs([run_folder, run_folder])


def test_each_of_several_runs_has_a_folder_of_its_own(tmp_path: Path) -> None:
    a, b, same = tmp_path / "a" / "run", tmp_path / "b", tmp_path / "c" / "run"
    assert evaluator.output_folders([a]) == {"run": a}
    assert evaluator.output_folders([a], tmp_path) == {"run": tmp_path}
    assert evaluator.output_folders([a, b], tmp_path) == {"run": tmp_path / "run", "b": tmp_path / "b"}
    assert list(evaluator.output_folders([a, same])) == [str(a), str(same)]


def test_command_line(small_run: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    other = tmp_path / "other"
    other.mkdir()
    (other / "predictions.csv").write_bytes((small_run / "predictions.csv").read_bytes())
    done = runner.invoke(app, ["report", str(small_run), str(other), "--out", str(tmp_path / "many")])
    assert done.exit_code == 0, done.output
    assert f"\n\nreport: {tmp_path / 'many' / 'small' / 'report.html'}\nother:\nencoding " in done.stdout
    assert (tmp_path / "many" / "small" / "report.html").is_file()
    assert (tmp_path / "many" / "compare.md").is_file()
    assert not (small_run / "report.html").exists()
    done = runner.invoke(app, ["compare", str(small_run), str(other), "--out", str(tmp_path / "both")])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[:3] == ["run", "encoding", "module"]
    assert done.stdout.endswith(f"\n\ntable: {tmp_path / 'both' / 'compare.csv'}\n")
    assert (tmp_path / "both" / "compare.csv").is_file()


def test_command_line_errors_are_one_line(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluator", "report", str(tmp_path / "none")])
    assert guard(app) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "no predictions there" in message
    assert message.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["evaluator", "compare", str(run_folder)])
    assert guard(app) == 1
    assert "expected two or more" in capsys.readouterr().err


def test_plots_of_a_worker_process_are_those_of_this_one(run_folder: Path, tmp_path: Path) -> None:
    def evaluated_by(jobs: int) -> tuple[dict[str, bytes], list[int]]:
        run = Path(shutil.copytree(run_folder, tmp_path / str(jobs)))
        meanwhile: list[int] = []
        evaluate(run, jobs=jobs, on_figures=lambda _: meanwhile.append(len(list(run.glob("confusion/*")))))
        return {path.name: path.read_bytes() for path in [*run.glob("confusion/*"), *run.glob("*.png")]}, meanwhile

    alone, elsewhere = evaluated_by(1), evaluated_by(2)
    assert alone == elsewhere
    assert alone[1] == [0], "the figures are used before the plots are there"
    assert {"heatmap.png"} < set(alone[0])


def test_what_a_killed_worker_has_left_of_plots_goes(run_folder: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    (run / ".confusion.0123456789abcdef.part").mkdir()
    (run / ".heatmap.png.0123456789abcdef.part").write_bytes(b"half")
    evaluate(run)
    assert not list(run.glob(".*.part"))


def test_plots_are_drawn_again_where_something_changed(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in [*run.glob("confusion/*"), *run.glob("*.png")]}

    drawn: list[str] = []
    for name in ("draw_confusion", "draw_heat_map"):
        draw = getattr(results, name)
        monkeypatch.setattr(results, name, lambda *a, _n=name, _d=draw, **k: (drawn.append(_n), _d(*a, **k))[1])
    evaluate(run)
    assert set(drawn) == {"draw_confusion", "draw_heat_map"}
    before = files()
    drawn.clear()
    evaluate(run)
    assert drawn == []
    for name in ("heatmap.png", "confusion/" + next(name for name in before if name.endswith(".txt"))):
        damaged = run / name
        damaged.write_bytes(damaged.read_bytes()[:-100])
    evaluate(run)
    assert set(drawn) == {"draw_confusion", "draw_heat_map"}
    assert files() == before
