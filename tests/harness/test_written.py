"""Only what soundfold has written is replaced or removed; what else is in the way is named, and nothing leads out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from converter.encodings.gray import Gray
from converter.pipeline import convert_clips
from corpora.arranging import arrange_table
from corpora.scanning import scan_to_table
from evaluator.evaluation import evaluate
from harness import audio
from harness.errors import SettingsError
from harness.files import folder_name, safe_name
from harness.images import relative_path
from harness.run_lock import run_lock
from harness.store import Store
from harness.tables import CLIPS, PREDICTIONS, frame, write
from harness.written import RECORD, check_one_folder_each, claim, inside
from trainer.model_folder import check_model_folder

RATE = 8000
MINE = "mine, for years"
IN_THE_WAY = "is in the way, and was not written by soundfold; move it away, or choose another folder"
OUTWARDS = ["..", ".", "...", " .. ", "../x", "..\\x", "/", "/etc/x", "a/../../x", "x/..", "\0", "", "C:/x"]


def sound(path: Path, seed: int = 0) -> Path:
    audio.write_wav(path, np.random.default_rng(seed).uniform(-0.5, 0.5, RATE), RATE)
    return path


def clips_table(folder: Path, labels: list[str], **columns: list[object]) -> Path:
    rows = [
        {
            "clip_id": f"{n}.wav",
            "path": str(sound(folder / "sounds" / f"{n}.wav", n)),
            "label": label,
            "fold": str(n % 2),
        }
        for n, label in enumerate(labels)
    ]
    table = pd.DataFrame(rows).assign(**columns)
    write(frame(table.to_dict("records"), CLIPS), folder / "clips.csv", CLIPS)
    return folder / "clips.csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- names


@pytest.mark.parametrize("name", OUTWARDS)
def test_no_name_from_data_leads_out_of_a_folder(name: str, tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    for made in (
        folder_name(name),
        safe_name(name),
        relative_path("gray", name, "x"),
        relative_path("gray", "x", name),
    ):
        path = inside(out, made).resolve()
        assert out in path.parents
        assert not {"..", "."} & set(made.split("/"))


@pytest.mark.parametrize("name", ["..", "../x", "/etc/x", "a/../../x", "x/..", "\0", ""])
def test_a_path_that_leads_out_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="leads out of"):
        inside(tmp_path, name)
    with pytest.raises(SettingsError, match="leads out of"):
        claim(tmp_path, ["a.csv", name])


def test_names_that_would_share_a_folder_are_refused() -> None:
    check_one_folder_each(["a:b", "a:b", "a_c"])
    with pytest.raises(SettingsError, match="labels 'a:b' and 'a_b' would share the folder 'a_b'; rename one of them"):
        check_one_folder_each(["a:b", "a_b"])


# ---- what is in the way


def test_what_was_written_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    claim(out, ["a.csv", "b/"])
    (out / "a.csv").write_text("1")
    (out / "b" / "c").mkdir(parents=True)
    claim(out, ["a.csv", "b/"])
    (out / "empty.csv").touch()
    (out / "empty").mkdir()
    claim(out, ["empty.csv", "empty/"])
    (out / "mine.csv").write_text(MINE)
    with pytest.raises(SettingsError, match=f"^{out / 'mine.csv'}: {IN_THE_WAY}$"):
        claim(out, ["a.csv", "mine.csv"])
    (out / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(SettingsError, match=f"nowhere: {IN_THE_WAY}"):
        claim(out, ["nowhere"])


def test_a_folder_of_an_older_version_counts_as_written(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("1")
    with pytest.raises(SettingsError, match=IN_THE_WAY):
        claim(tmp_path, ["metrics.csv"])
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "steps": {}}))
    claim(tmp_path, ["metrics.csv"])


def test_a_refused_command_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError), run_lock(tmp_path / "out"):
        claim(tmp_path / "out", ["a.csv"])
        raise SettingsError("refused")
    assert not (tmp_path / "out").exists()


# ---- commands


def arranged(home: Path, out: Path) -> None:
    arrange_table(clips_table(home, ["dog", "dog", "cat"]), out)


def drawn(home: Path, out: Path) -> None:
    clips = pd.read_csv(clips_table(home, ["dog", "cat"]), keep_default_na=False, dtype=str)
    table = frame(clips.to_dict("records"), CLIPS)
    convert_clips(table, {"gray": Gray(size=(8, 8))}, out, store=Store(home / "store"))


def scanned(home: Path, out: Path) -> None:
    arranged(home, home / "corpus")
    scan_to_table("folders", home / "corpus", out=out / "clips.csv")


def evaluated(home: Path, out: Path) -> None:
    rows = []
    for n in range(12):
        share = 0.75 - n // 3 % 2 / 2
        row = {"clip_id": f"{n}", "encoding": "gray", "module": "m", "head": "lbfgs", "seed": "0", "fold": str(n % 2)}
        rows.append({**row, "label": "ab"[n // 2 % 2], "predicted": "ab"[n // 3 % 2], "p:a": share, "p:b": 1 - share})
    write(frame(rows, PREDICTIONS), home / "run" / PREDICTIONS.name, PREDICTIONS)
    evaluate(home / "run", out=out)


COMMANDS = [
    (arranged, "dog/1.wav"), (arranged, "cat/2.wav"), (arranged, "cat/notes.txt"),
    (drawn, "gray/dog/0.wav.png"), (drawn, "gray/notes.txt"),
    (scanned, "clips.csv"),
    (evaluated, "confusion/thesis.txt"), (evaluated, "report.html"), (evaluated, "metrics.csv"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "name"), COMMANDS)
def test_a_file_of_somebody_s_own_is_refused_by_name(
    command: object, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text(MINE)
    with pytest.raises(SettingsError, match=rf"^{out / name.split('/')[0]}.*was not written by soundfold"):
        command(tmp_path / "home", out)  # type: ignore[operator]
    assert contents(out) == {name: MINE.encode()}


@pytest.mark.parametrize(("command", "name"), [(evaluated, "confusion/thesis.txt"), (evaluated, "confusion/a/b.csv")])
def test_so_is_one_that_was_put_among_what_was_written(command: object, name: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command(tmp_path / "home", out)  # type: ignore[operator]
    command(tmp_path / "home", out)  # type: ignore[operator]
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text(MINE)
    before = contents(out)
    with pytest.raises(SettingsError, match=f"{out / name}: was not written by soundfold, and .* would be replaced"):
        command(tmp_path / "home", out)  # type: ignore[operator]
    assert contents(out) == before
    (out / name).unlink()
    command(tmp_path / "home", out)  # type: ignore[operator]


def test_arranging_stays_in_its_folder(tmp_path: Path) -> None:
    """A label and a clip that are named as the folder above: nothing there is touched."""
    clips = clips_table(tmp_path, ["..", "dog"], clip_id=["run.json", ".."])
    (tmp_path / "up" / "run.json").parent.mkdir()
    (tmp_path / "up" / "run.json").write_text(MINE)
    table, failures = arrange_table(clips, tmp_path / "up" / "out")
    assert len(table) == 2
    assert failures.empty
    assert contents(tmp_path / "up").keys() == {
        "run.json", "out/run.json", "out/arranged.csv", f"out/{RECORD}", "out/__/run.json", "out/dog/__"
    }  # fmt: skip
    assert (tmp_path / "up" / "run.json").read_text() == MINE


def test_a_part_of_a_sound_that_has_changed_is_cut_out_anew(tmp_path: Path) -> None:
    clips = clips_table(tmp_path, ["dog", "cat"], start_s=[0.1, 0.2], end_s=[0.5, 0.6])
    arrange_table(clips, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    arrange_table(clips, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    sound(tmp_path / "sounds" / "0.wav", seed=7)
    arrange_table(clips, tmp_path / "out")
    y, _ = audio.read(tmp_path / "out" / "dog" / "0.wav.wav")
    expected, _ = audio.read(tmp_path / "sounds" / "0.wav", start_s=0.1, end_s=0.5)
    assert np.array_equal(y, expected)


@pytest.mark.parametrize("what", [arrange_table, "draw"])
def test_classes_that_would_share_a_folder_are_not_laid_together(what: object, tmp_path: Path) -> None:
    clips = clips_table(tmp_path, ["a:b", "a_b", "c"])
    with pytest.raises(SettingsError, match="labels 'a:b' and 'a_b' would share the folder 'a_b'"):
        if what == "draw":
            table = frame(pd.read_csv(clips, dtype=str, keep_default_na=False).to_dict("records"), CLIPS)
            convert_clips(table, {"gray": Gray(size=(8, 8))}, tmp_path / "out", store=Store(tmp_path / "store"))
        else:
            arrange_table(clips, tmp_path / "out")
    assert not list(tmp_path.glob("out/*/*"))


def test_a_model_takes_the_place_of_a_model_alone(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    names = ["model.json", "labels.txt", "saved_model.pb", "fingerprint.pb", "variables/variables.index"]
    for name in names:
        (folder / name).write_text("{}")
    check_model_folder(folder)
    for name in ("thesis.txt", "variables/thesis.txt"):
        (folder / name).write_text(MINE)
        with pytest.raises(SettingsError, match=f"^{folder / name}: was not written by soundfold"):
            check_model_folder(folder)
        (folder / name).unlink()


@pytest.mark.parametrize("record", ['{"mlflow": 1}', "[]", "{"])
def test_another_program_s_run_json_opens_no_folder(tmp_path: Path, record: str) -> None:
    (tmp_path / "run.json").write_text(record)
    (tmp_path / "clips.csv").write_text("thesis")
    with pytest.raises(SettingsError, match="in the way"):
        claim(tmp_path, ["clips.csv"])


@pytest.mark.parametrize("record", ["{", "[]", '{"written": 3}', '{"written": [1]}'])
def test_a_damaged_record_opens_no_folder(tmp_path: Path, record: str) -> None:
    (tmp_path / ".soundfold.json").write_text(record)
    (tmp_path / "clips.csv").write_text("thesis")
    with pytest.raises(SettingsError, match="damaged"):
        claim(tmp_path, ["clips.csv"])
    assert (tmp_path / "clips.csv").read_text() == "thesis"
