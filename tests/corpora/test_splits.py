"""Every way in which a corpus is split, with the tables that come out."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from small_study import command

from corpora.__main__ import app
from corpora.loading import load, load_corpus
from corpora.scanning import scan_to_table
from harness.errors import SettingsError, SplitError, TableError
from harness.record import read_shared_groups, read_steps
from harness.shared_groups import SharedGroupsError, spanning_groups
from harness.split_parts import assign_parts, parse_shares
from harness.tables import CLIPS, read

Tone = Callable[..., Path]
Sheet = Callable[..., Path]
EXCEPTIONS = {
    "77751": ("2", "7"),
    "106905": ("1", "8"),
    "132016": ("1", "4"),
    "176638": ("1", "4"),
    "180937": ("1", "9"),
}


def write_sounds(tone: Tone, root: Path, names: list[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        tone(root / name)


def rows_of(table: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    """The clips in order, as tuples of some columns."""
    return list(table[["clip_id", *columns]].itertuples(index=False, name=None))


def folds_of(table: pd.DataFrame) -> dict[str, str]:
    return dict(rows_of(table, "fold"))  # type: ignore[arg-type]


# ---- official folds with declared exceptions


@pytest.fixture(scope="module")
def urbansound8k(test_data: Path, tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> tuple[Path, pd.DataFrame]:
    """The real metadata over stand-in sounds, no two with the same bytes; the metadata as a table."""
    csv = test_data / "data" / "urbansound8k" / "metadata" / "UrbanSound8K.csv"
    root = tmp_path_factory.mktemp("real") / "UrbanSound8K"
    (root / "metadata").mkdir(parents=True)
    (root / "metadata" / "UrbanSound8K.csv").write_bytes(csv.read_bytes())
    metadata = pd.read_csv(csv, dtype=str)
    sound = tone(root / "one.wav").read_bytes()
    for fold in metadata["fold"].unique():
        (root / "audio" / f"fold{fold}").mkdir(parents=True)
    for row in metadata.itertuples():
        (root / "audio" / f"fold{row.fold}" / row.slice_file_name).write_bytes(sound + row.slice_file_name.encode())
    return root, metadata


def test_urbansound8k_as_released(
    urbansound8k: tuple[Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, metadata = urbansound8k
    said = command(app, "scan", "urbansound8k", root, "--out", tmp_path / "clips.csv", capsys=capsys)
    assert (said.code, said.err) == (0, "")
    table = read(tmp_path / "clips.csv", CLIPS).set_index("clip_id")
    wanted = metadata.set_index("slice_file_name").loc[table.index]
    assert len(table) == len(metadata) == 8732
    for ours, theirs in (("label", "class"), ("fold", "fold"), ("group", "fsID")):
        assert table[ours].tolist() == wanted[theirs].tolist()
    torn = metadata.groupby("fsID")["fold"].nunique()
    assert set(torn[torn > 1].index) == set(EXCEPTIONS)
    assert metadata["fsID"].isin(list(EXCEPTIONS)).sum() == 152
    for text in ("have 5 groups (152 clips) in several folds", "77751 (folds 2, 7)", "180937 (folds 1, 9)"):
        assert text in said.out.splitlines()[-1]
    spec = read_steps(tmp_path)["corpus"]["spec"]
    assert spec["notes"] == [said.out.splitlines()[-1].removeprefix("Note: ")]
    shared = read_shared_groups(tmp_path)
    assert (shared.policy, dict(shared.exceptions)) == ("official", EXCEPTIONS)
    assert dict(load_corpus("csv", tmp_path / "clips.csv").shared.exceptions) == EXCEPTIONS, "read back as it was"


def test_urbansound8k_read_strictly(
    urbansound8k: tuple[Path, pd.DataFrame], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, _ = urbansound8k
    words = ("scan", "urbansound8k", root, "--out", tmp_path / "clips.csv", "--shared-groups")
    said = command(app, *words, "refuse", capsys=capsys)
    assert said.code == 1
    assert said.err.startswith("error: 5 groups are in several folds: 77751 (folds 2, 7), 106905 (folds 1, 8), 132016 ")
    for way in ("--shared-groups official uses", "--shared-groups drop leaves", "--folds 10 assigns folds by group"):
        assert way in said.err
    assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "clips.csv").exists()
    assert command(app, *words, "drop", capsys=capsys).code == 0
    assert read_shared_groups(tmp_path).policy == "drop"


def test_folds_by_group_need_no_exception(urbansound8k: tuple[Path, pd.DataFrame]) -> None:
    found = load_corpus("urbansound8k", urbansound8k[0], folds=10, shared_groups="refuse")
    assert not found.shared.exceptions
    assert found.notes == []
    assert not spanning_groups(found.clips["fold"].tolist(), found.clips["group"].tolist())


def test_only_groups_that_span_folds_in_the_table_are_exceptions(urbansound8k: tuple[Path, pd.DataFrame]) -> None:
    root, metadata = urbansound8k
    found = load_corpus("urbansound8k", root, classes=["gun_shot"], shared_groups="refuse")
    assert len(found.clips) == (metadata["class"] == "gun_shot").sum()
    assert found.notes == [], "slices of different classes are in different folds"


def test_another_torn_group_of_the_same_corpus_is_refused(
    build: dict[str, Callable[[Path], Path]], tmp_path: Path
) -> None:
    root = build["urbansound8k"](tmp_path)
    csv = root / "metadata" / "UrbanSound8K.csv"
    text = csv.read_text(encoding="utf-8").replace("7061-6-0-1.wav,7061", "7061-6-0-1.wav,77751")
    text = text.replace("99812-3-0-1.wav,99812", "99812-3-0-1.wav,344").replace(
        "344-3-0-0.wav,344", "344-3-0-0.wav,77751"
    )
    csv.write_text(text, encoding="utf-8")
    with pytest.raises(SharedGroupsError, match=r"^1 group is in several folds: 344 \(folds 1, 10\)"):
        load("urbansound8k", root)
    csv.write_text(text.replace("99812-3-0-1.wav,344", "99812-3-0-1.wav,99812"), encoding="utf-8")
    found = load_corpus("urbansound8k", root)
    assert dict(found.shared.exceptions) == {"77751": ("1", "10")}
    assert found.notes[0].startswith(
        "The official folds of this corpus have 1 group (2 clips) in several folds, as its "
    )
    with pytest.raises(SharedGroupsError, match=r"^1 group is in several folds: 77751"):
        load("urbansound8k", root, pattern=r"fold(?P<fold>\d+)/")  # folds of one's own: not the official ones


# ---- folders


def test_train_and_test_folders_with_a_stray_one_are_refused(tmp_path: Path, tone: Tone) -> None:
    for name in ("train/bat/a.wav", "test/bat/b.wav", "validation/owl/c.wav", "extra/owl/d.wav", "more/e.wav"):
        tone(tmp_path / name)
    said = (
        r"'test' and 'train' and 'validation' are parts of a split, but the folder 'extra' and 1 more lies next to them"
    )
    with pytest.raises(SplitError, match=said):
        load("folders", tmp_path)
    table = load("folders", tmp_path, pattern=r"^(?P<fold>train|test|validation)/(?P<label>[^/]+)/")
    assert rows_of(table, "label", "fold") == [
        ("a.wav", "bat", "train"), ("b.wav", "bat", "test"), ("c.wav", "owl", "validation"),
        ("d.wav", "extra", ""), ("e.wav", "more", ""),
    ]  # fmt: skip


def test_a_stray_sound_and_a_part_without_class_folders_are_refused(tmp_path: Path, tone: Tone) -> None:
    for name in ("train/bat/a.wav", "test/bat/b.wav"):
        tone(tmp_path / name)
    stray = tone(tmp_path / "stray.wav")
    with pytest.raises(
        SplitError, match=r"are parts of a split, but the sound 'stray.wav' lies next to them; move it "
    ):
        load("folders", tmp_path)
    stray.unlink()
    tone(tmp_path / "train" / "owl-1.wav")
    with pytest.raises(
        SplitError, match=r"but train/owl-1.wav is not in a class folder; expected test/<class>/<sound>"
    ):
        load("folders", tmp_path)
    table = load("folders", tmp_path, pattern=r"/(?P<label>bat|owl)")
    assert rows_of(table, "label", "fold") == [
        ("a.wav", "bat", "train"), ("b.wav", "bat", "test"), ("owl-1.wav", "owl", "train"),
    ]  # fmt: skip


# ---- a column of a CSV


def test_a_column_split_counts_as_fold(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    rows = [{"path": f"{k}.wav", "label": "ab"[k % 2], "split": ("train", "train", "test")[k % 3]} for k in range(6)]
    for row in rows:
        tone(tmp_path / str(row["path"]))
    wanted = {f"{k}.wav": ("train", "train", "test")[k % 3] for k in range(6)}
    assert folds_of(load("csv", sheet(tmp_path / "a.csv", rows))) == wanted
    both = [{**row, "fold": "1" if k < 3 else "2"} for k, row in enumerate(rows)]
    file = sheet(tmp_path / "b.csv", both)
    assert set(load("csv", file, columns={"fold": "fold"})["fold"]) == {"1", "2"}
    assert folds_of(load("csv", file, columns={"fold": "split"})) == wanted


def test_parts_together_with_other_folds_are_refused(tmp_path: Path, tone: Tone, sheet: Sheet) -> None:
    rows = [{"path": f"{k}.wav", "label": "a", "split": name} for k, name in enumerate(("train", "test", "3"))]
    for row in rows:
        tone(tmp_path / str(row["path"]))
    with pytest.raises(SplitError, match=r"^the folds are '3', 'test', 'train': '3' is no part of a train/validation"):
        load("csv", sheet(tmp_path / "a.csv", rows))


# ---- lists of files


@pytest.fixture
def birds(tmp_path: Path, tone: Tone) -> Path:
    """Two classes of four sounds, one file name in both."""
    for name in ("owl/1.wav", "owl/2.wav", "owl/3.wav", "owl/same.wav", "tit/4.wav", "tit/5.wav", "tit/same.wav"):
        tone(tmp_path / "birds" / name)
    return tmp_path / "birds"


def write_list(path: Path, *lines: str) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def test_a_list_of_the_test_part(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Speech Commands has its lists in the corpus's own folder; everything else is train."""
    write_list(birds / "testing_list.txt", "# held out", "", "owl/1.wav", "tit\\4.wav")
    write_list(birds / "validation_list.txt", "2.wav", "./tit/same.wav")
    out = tmp_path / "clips.csv"
    lists = ("--list", "test=testing_list.txt", "--list", "validation=validation_list.txt")
    said = command(app, "scan", "folders", birds, "--out", out, *lists, capsys=capsys)
    assert (said.code, said.err) == (0, "")
    assert folds_of(read(out, CLIPS)) == {
        "1.wav": "test", "2.wav": "validation", "3.wav": "train", "4.wav": "test", "5.wav": "train",
        "owl/same.wav": "train", "tit/same.wav": "validation",
    }  # fmt: skip
    assert "3 parts of a split" in said.out.splitlines()[0]
    assert said.out.splitlines()[1].split() == ["class", "clips", "groups", "test", "train", "validation"]
    assert said.out.splitlines()[-1] == "Note: 3 clips in no list: in train."


def test_with_a_train_list_the_others_are_left_out(birds: Path, tmp_path: Path) -> None:
    lists = {
        "train": write_list(tmp_path / "train.txt", "owl/1.wav", "tit/4.wav", "tit/5.wav"),
        "test": write_list(tmp_path / "test.txt", "owl/2.wav", "owl/same.wav"),
    }
    found = load_corpus("folders", birds, lists=lists)
    assert folds_of(found.clips) == {
        "1.wav": "train", "2.wav": "test", "4.wav": "train", "5.wav": "train", "owl/same.wav": "test",
    }  # fmt: skip
    assert found.notes == [
        "2 clips in no list: left out, the first '3.wav'.", "1 class has no clips in test: tit.",
    ]  # fmt: skip


def test_lists_may_be_numbered_folds(birds: Path, tmp_path: Path) -> None:
    lists = {
        "1": write_list(tmp_path / "1.txt", "1.wav", "4.wav"),
        "2": write_list(tmp_path / "2.txt", "2.wav", "5.wav"),
    }
    found = load_corpus("folders", birds, lists=lists)
    assert folds_of(found.clips) == {"1.wav": "1", "2.wav": "2", "4.wav": "1", "5.wav": "2"}
    assert found.notes == ["3 clips in no list: left out, the first '3.wav'."]
    only = load_corpus("folders", birds, lists=lists, classes=["owl"])
    assert folds_of(only.clips) == {"1.wav": "1", "2.wav": "2"}, "a list may name clips of other classes"


def test_lists_with_accents(birds: Path, tmp_path: Path) -> None:
    """Some systems write an accent and its letter apart, in names or in lists."""
    (birds / "owl/1.wav").rename(birds / "owl" / unicodedata.normalize("NFD", "hibou d'été.wav"))
    (birds / "owl/2.wav").rename(birds / "owl" / unicodedata.normalize("NFC", "où.wav"))
    names = [unicodedata.normalize("NFC", "owl/hibou d'été.wav"), unicodedata.normalize("NFD", "où.wav")]
    found = load_corpus("folders", birds, lists={"test": write_list(tmp_path / "test.txt", *names)})
    assert sorted(found.clips["fold"]) == ["test", "test", *["train"] * 5]


def test_a_list_in_another_encoding(birds: Path, tmp_path: Path) -> None:
    file = tmp_path / "test.txt"
    file.write_bytes("owl/1.wav\nowl/où.wav\n".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"test.txt, line 2: expected text in UTF-8; save the list as UTF-8$"):
        load_corpus("folders", birds, lists={"test": file})


@pytest.mark.parametrize(
    ("lines", "other", "said"),
    [
        (["owl/1.wav", "owl/9.wav"], ["tit/4.wav"], r"test.txt, line 2: 'owl/9.wav' names no clip; expected a path"),
        (["owl/1.wav"], ["1.wav"], r"^clip '1.wav' is in the list of 'test' and in that of 'validation'$"),
        (
            ["same.wav"],
            ["tit/4.wav"],
            r"line 1: 'same.wav' names 2 files, as owl/same.wav and tit/same.wav; give the path",
        ),
        (["# nothing"], ["tit/4.wav"], r"test.txt: names no clips for 'test'; expected one path a line"),
    ],
)
def test_lists_that_cannot_be(birds: Path, tmp_path: Path, lines: list[str], other: list[str], said: str) -> None:
    lists = {
        "test": write_list(tmp_path / "test.txt", *lines),
        "validation": write_list(tmp_path / "val.txt", *other),
    }
    with pytest.raises(SettingsError, match=said):
        load("folders", birds, lists=lists)


def test_lists_that_are_not_there_or_not_alone(birds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        SettingsError, match=r"^list of 'test': no such file; looked for gone.txt and .*birds/gone.txt$"
    ):
        load("folders", birds, lists={"test": "gone.txt"})
    file = write_list(tmp_path / "test.txt", "owl/1.wav")
    with pytest.raises(
        SettingsError, match=r"^split and lists: both say which clip is in which fold; give one of them$"
    ):
        load("folders", birds, lists={"test": file}, split="80/20")
    with pytest.raises(SplitError, match="'3' is no part of a train/validation/test split"):
        load("folders", birds, lists={"test": file, "3": file})
    for words, text in (
        (("--list", "test"), "expected FOLD=FILE"),
        (("--list", "a=b", "--list", "a=c"), "a list already"),
    ):
        said = command(app, "scan", "folders", birds, "--out", tmp_path / "c.csv", *words, capsys=capsys)
        assert (said.code, len(said.err.splitlines())) == (1, 1)
        assert text in said.err


# ---- percentages


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, tone: Tone) -> Path:
    """Two classes of 40 sounds from 40 sites of 1 to 3 sounds each."""
    root = tmp_path_factory.mktemp("sites")
    site = k = 0
    while k < 80:
        for take in range(1 + site % 3):
            tone(root / ("bat", "owl")[site % 2] / f"site{site}-{take}.wav", seconds=0.01)
            k += 1
        site += 1
    return root


SITE = r"(?P<group>site\d+)"


@pytest.mark.parametrize("split", ["80/20", "75/20/5", {"train": 60, "validation": 20, "test": 20}])
def test_percentages_are_reached_by_whole_groups(sites: Path, split: str | dict[str, float]) -> None:
    found = load_corpus("folders", sites, pattern=SITE, split=split)
    table = found.clips
    assert not spanning_groups(table["fold"].tolist(), table["group"].tolist())
    shares = parse_shares(split)
    assert set(table["fold"]) == set(shares)
    for label, part in table.groupby("label"):
        for fold, share in shares.items():
            got = (part["fold"] == fold).sum()
            assert abs(got - share * len(part) / 100) <= 1.5, (label, fold, got, len(part))
    counts = Counter(table["fold"])
    for fold in shares:
        assert f"{fold} {counts[fold]} clips ({100 * counts[fold] / len(table):.1f} %)" in found.notes[0]
    assert found.notes[0].startswith(f"Assigned a {'/'.join(shares)} split of ")
    again = load("folders", sites, pattern=SITE, split=split)
    assert again.equals(table)
    assert folds_of(load("folders", sites, pattern=SITE, split=split, seed=1)) != folds_of(table)


def test_percentages_on_the_command_line(sites: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("scan", "folders", sites, "--out", tmp_path / "clips.csv", "--pattern", SITE, "--split", "80/20")
    assert command(app, *words, capsys=capsys).code == 0
    first = (tmp_path / "clips.csv").read_bytes()
    assert command(app, *words, capsys=capsys).code == 0
    assert (tmp_path / "clips.csv").read_bytes() == first
    table = read(tmp_path / "clips.csv", CLIPS)
    assert table.equals(load("folders", sites, pattern=SITE, split="80/20"))
    assert read_steps(tmp_path)["corpus"]["spec"]["split"] == "80/20"


def test_the_order_of_the_rows_does_not_matter() -> None:
    groups, labels = [f"g{k // 2}" for k in range(60)], [f"c{k // 2 % 3}" for k in range(60)]
    shares = parse_shares("75/20/5")
    parts = assign_parts(groups, labels, shares, seed=3)
    assert assign_parts(groups[::-1], labels[::-1], shares, seed=3) == parts[::-1]


@pytest.mark.parametrize("given", ["80", "80/30", "80-20", "100/0", "a/b", {"train": 100}, {"train": 50, "rest": 50}])
def test_percentages_that_are_none(given: str | dict[str, float]) -> None:
    with pytest.raises(SettingsError, match=r"^split=.*expected percentages that sum to 100, such as \"80/20\""):
        parse_shares(given)


def test_classes_that_are_too_small_are_named(tmp_path: Path, tone: Tone) -> None:
    for k in range(20):
        tone(tmp_path / "bat" / f"{k}.wav")
    tone(tmp_path / "owl" / "one.wav")
    notes = load_corpus("folders", tmp_path, split="80/20").notes
    assert notes[1] == "1 class has no clips in test: owl."
    with pytest.raises(
        SplitError, match=r"^split: no clips are left for validation, so few or so large are the 2 groups"
    ):
        load("folders", tmp_path, split="75/20/5", pattern=r"(?P<group>bat|owl)")


def test_columns_are_found_whatever_their_case_and_blanks(tmp_path: Path, tone: Tone) -> None:
    write_sounds(tone, tmp_path, [f"{k}.wav" for k in range(6)])
    lines = [" Path ,LABEL, Split ,Group"]
    lines += [
        f"{k}.wav, {'ab'[k % 2]} ,{part},g{k}"
        for k, part in enumerate(["Train", "TRAIN", "train ", "test"] + 2 * ["Test"])
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    found = load("csv", tmp_path / "t.csv")
    assert found["fold"].tolist() == ["Train"] * 3 + ["test"] * 3
    assert found["label"].tolist() == list("ababab")
    assert found["group"].tolist() == [f"g{k}" for k in range(6)]


def test_a_column_split_and_a_column_fold_are_not_both_taken(tmp_path: Path, tone: Tone) -> None:
    write_sounds(tone, tmp_path, ["0.wav", "1.wav"])
    (tmp_path / "t.csv").write_text("path,label,Split,fold\n0.wav,a,train,1\n1.wav,b,test,2\n")
    with pytest.raises(TableError, match=r"has a column 'fold' and a column 'Split'.*fold=fold or fold=Split"):
        load("csv", tmp_path / "t.csv")
    assert load("csv", tmp_path / "t.csv", columns={"fold": "Split"})["fold"].tolist() == ["train", "test"]


@pytest.mark.parametrize(
    "names", [("train", "tets"), ("train set", "test set"), ("tt_train", "tt_test"), ("fold1", "fold 2")]
)
def test_folders_named_nearly_as_parts_are_no_classes(names: tuple[str, str], tmp_path: Path, tone: Tone) -> None:
    write_sounds(tone, tmp_path, [f"{part}/{label}/{k}.wav" for part in names for label in "ab" for k in range(2)])
    with pytest.raises(SplitError, match=r"hold folders of the same names \(a, b\).*\(\?P<fold>"):
        load("folders", tmp_path)
    found = load("folders", tmp_path, pattern="(?P<fold>[^/]+)/(?P<label>[^/]+)/") if names[0] == "fold1" else None
    assert found is None or set(found["fold"]) == set(names)


def test_folders_with_the_same_years_in_them_are_classes(tmp_path: Path, tone: Tone) -> None:
    write_sounds(
        tone,
        tmp_path,
        [f"{bird}/{year}/{k}.wav" for bird in ("wren", "tit") for year in (2021, 2022) for k in range(2)],
    )
    assert set(load("folders", tmp_path)["label"]) == {"wren", "tit"}


def test_blanks_after_the_name_of_a_part_do_not_matter(tmp_path: Path, tone: Tone) -> None:
    write_sounds(
        tone, tmp_path, [f"{part}/{label}/{k}.wav" for part in ("train ", "Test") for label in "ab" for k in range(2)]
    )
    assert set(load("folders", tmp_path)["label"]) == {"a", "b"}


def test_what_a_scan_allowed_is_not_said_of_another_table_in_its_folder(tmp_path: Path, tone: Tone) -> None:
    write_sounds(tone, tmp_path, [f"{k}.wav" for k in range(4)])
    (tmp_path / "t.csv").write_text("path,label,fold,group\n0.wav,a,1,g\n1.wav,b,2,g\n2.wav,a,1,h\n3.wav,b,2,i\n")
    scan_to_table("csv", tmp_path / "t.csv", out=tmp_path / "o/first.csv", shared_groups="allow")
    assert read_shared_groups(tmp_path / "o", table="first.csv").policy == "allow"
    scan_to_table("csv", tmp_path / "t.csv", out=tmp_path / "o/second.csv", shared_groups="drop")
    assert read_shared_groups(tmp_path / "o", table="second.csv").policy == "drop"
    assert read_shared_groups(tmp_path / "o", table="first.csv").policy == "official"
