"""A run folder evaluated as a whole: its files, its report, its command line."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from evaluator import compare_runs, evaluate
from evaluator.__main__ import app
from harness.cli import guard
from harness.errors import SettingsError, TableError
from harness.record import read_steps, record_step
from harness.tables import CLIPS, FAILURES, METRICS, PREDICTIONS, frame, read, write


def test_everything_is_written(run_folder: Path) -> None:
    found = evaluate(run_folder, warnings=["a warning from the study"])
    assert found.report == run_folder / "report.html"
    assert found.text.splitlines()[1].startswith("gray      builtin:scattering")
    assert found.warnings == ("a warning from the study",)
    for name in ("metrics.csv", "ranking.csv", "ranking.md", "ranking.tex", "folds.csv", "recall.csv"):
        assert (run_folder / name).stat().st_size > 0, name
    assert len(read(run_folder / "metrics.csv", METRICS)) > 500
    names = sorted(p.name for p in (run_folder / "confusion").glob("gray-builtin*"))
    stem = "gray-builtin_scattering-lbfgs"
    assert names == [f"{stem}.csv", f"{stem}.png", f"{stem}.recall.png", f"{stem}.shares.csv", f"{stem}.txt"]
    assert len(list((run_folder / "confusion").glob("*.png"))) == 2
    assert (run_folder / "heatmap.png").is_file()


def test_csv_shapes(run_folder: Path) -> None:
    evaluate(run_folder)
    ranked = pd.read_csv(run_folder / "ranking.csv")
    assert list(ranked.columns) == [
        "encoding", "module", "head", "accuracy", "std", "std_seeds", "low", "high", "macro_f1",
        "balanced_accuracy", "folds", "seeds", "clips",
    ]  # fmt: skip
    folds = pd.read_csv(run_folder / "folds.csv")
    assert list(folds.columns) == ["encoding", "module", "head", "seed", "1", "2", "3", "4", "5", "mean", "std"]
    assert list(pd.read_csv(run_folder / "recall.csv").columns[3:]) == ["bell", "cat", "dog", "rain"]
    assert len(pd.read_csv(run_folder / "differences.csv")) == 15
    matrix = pd.read_csv(run_folder / "confusion" / "gray-builtin_scattering-lbfgs.csv", index_col="label")
    assert int(matrix.to_numpy().sum()) == 100
    assert list(matrix.index) == list(matrix.columns) == ["bell", "cat", "dog", "rain"]


def test_a_second_run_and_another_row_order_give_the_same_bytes(run_folder: Path, table: pd.DataFrame) -> None:
    def files() -> dict[str, bytes]:
        found = sorted(p for p in run_folder.rglob("*") if p.is_file())
        mine = [p for p in found if p.name not in ("run.json", "predictions.csv")]
        return {str(p.relative_to(run_folder)): p.read_bytes() for p in mine}

    evaluate(run_folder)
    first = files()
    write(table.sample(frac=1, random_state=5), run_folder / "predictions.csv", PREDICTIONS)
    evaluate(run_folder)
    assert files() == first


def test_run_json_keeps_the_other_steps(run_folder: Path) -> None:
    record_step(run_folder, "train", spec={"head": "lbfgs"})
    evaluate(run_folder, baseline="logmel")
    steps = read_steps(run_folder)
    assert set(steps) == {"train", "evaluate"}
    assert steps["evaluate"]["spec"]["baseline"] == "logmel"
    assert set(steps["evaluate"]["inputs"]) == {"predictions.csv", "clips.csv"}


def test_old_confusion_files_go(run_folder: Path, table: pd.DataFrame) -> None:
    evaluate(run_folder)
    write(table[table["encoding"] == "logmel"], run_folder / "predictions.csv", PREDICTIONS)
    evaluate(run_folder)
    assert {p.name.split("-")[0] for p in (run_folder / "confusion").iterdir()} == {"logmel"}
    assert not (run_folder / "heatmap.png").exists()


def test_the_report_says_what_it_should_and_asks_the_network_for_nothing(run_folder: Path) -> None:
    failures = [{"clip_id": "x.wav", "path": "/sounds/x.wav", "step": "convert", "reason": "cut <short>"}]
    write(frame(failures, FAILURES), run_folder / "failures.csv", FAILURES)
    record_step(run_folder, "train", spec={"head": "lbfgs"}, seed=0)
    steps = read_steps(run_folder)
    found = evaluate(run_folder, warnings=["groups are shared across folds"])
    html = found.report.read_text(encoding="utf-8")
    plain = html.replace("\u00a0", " ")
    for text in (
        "gray on builtin:scattering is best: ", "groups are shared across folds", "1 clip failed", "cut &lt;short&gt;",
        "chosen among 6 combinations", "Holm over 15 pairs", "mobilenet_v2_100_224",
        steps["train"]["versions"]["numpy"], "All 15 pairs", "Who is taken for whom", "esc10",
    ):  # fmt: skip
        assert text in plain, text
    assert "<short>" not in html
    assert not re.search(r"""(?:src|href|action)\s*=|url\(|@import|<script|<link""", html)
    for count in re.findall(r"<title>\w+ taken for \w+: (\d+)", html):
        assert int(count) > 0
    assert sum(int(c) for c in re.findall(r"<title>\w+ taken for \w+: (\d+)", html)) == 100


def test_a_report_of_one_combination_without_folds_scores_or_modules(tmp_path: Path) -> None:
    rows = [
        {"clip_id": f"{i}", "encoding": "gray", "label": "ab"[i % 2], "predicted": "ab"[i % 2 if i > 3 else 0]}
        for i in range(20)
    ]
    write(frame(rows, PREDICTIONS), tmp_path / "predictions.csv", PREDICTIONS)
    found = evaluate(tmp_path)
    assert found.verdict[0] == "gray was tested alone: 90.0 %."
    assert found.warnings == ("gray has no scores: no log loss, calibration error, AP and AUROC.",)
    html = found.report.read_text(encoding="utf-8")
    assert "There is no run.json" in html
    assert "nan" not in html.lower()


def test_shared_groups_and_missing_predictions_are_said(
    run_folder: Path, table: pd.DataFrame, make_clips: Callable[..., pd.DataFrame]
) -> None:
    clips = make_clips(table, {"0.wav": "g", "1.wav": "g"})
    more = frame([{"clip_id": "lost.wav", "path": "/sounds/lost.wav", "label": "cat", "fold": "1"}], CLIPS)
    write(pd.concat([clips, more]), run_folder / "clips.csv", CLIPS)
    short = table.drop(index=table.index[(table["encoding"] == "gray") & (table["clip_id"] == "5.wav")])
    write(short, run_folder / "predictions.csv", PREDICTIONS)
    said = " ".join(evaluate(run_folder).warnings)
    assert "Groups are shared across folds: 1, the first 'g'" in said
    assert "Without a prediction: 1 of 101 clips, the first 'lost.wav'" in said
    assert "different numbers of clips (99 to 100)" in said


def test_errors_name_the_file(tmp_path: Path, run_folder: Path, table: pd.DataFrame) -> None:
    with pytest.raises(TableError, match=r"predictions.csv: no predictions there"):
        evaluate(tmp_path)
    with pytest.raises(SettingsError, match=r"baseline='gary': no such encoding; did you mean 'gray'"):
        evaluate(run_folder, baseline="gary")
    write(table.assign(label=""), run_folder / "predictions.csv", PREDICTIONS)
    with pytest.raises(TableError, match=r"predictions.csv: label is empty for 600 predictions"):
        evaluate(run_folder)


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


def test_command_line(run_folder: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    out = tmp_path / "out"
    done = runner.invoke(app, ["report", str(run_folder), "--out", str(out), "--baseline", "gray"])
    assert done.exit_code == 0, done.output
    assert "report: " in done.stdout
    assert (out / "report.html").is_file()
    assert not (run_folder / "report.html").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "predictions.csv").write_bytes((run_folder / "predictions.csv").read_bytes())
    done = runner.invoke(app, ["compare", str(run_folder), str(other), "--out", str(tmp_path / "both")])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].split()[:3] == ["run", "encoding", "module"]
    assert (tmp_path / "both" / "compare.csv").is_file()
    done = runner.invoke(app, ["report", str(run_folder), str(other), "--out", str(tmp_path / "many")])
    assert (tmp_path / "many" / "esc10" / "report.html").is_file()
    assert (tmp_path / "many" / "compare.md").is_file()


def test_command_line_errors_are_one_line(
    tmp_path: Path, run_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluator", "report", str(tmp_path / "none")])
    assert guard(app) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "no predictions there" in said
    assert said.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["evaluator", "compare", str(run_folder)])
    assert guard(app) == 1
    assert "expected two or more" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, evaluator.__main__; "
        "print(sorted({'numpy', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
