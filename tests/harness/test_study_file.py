"""Studies: defaults, one exact line for each mistake, and what paths are relative to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.errors import SettingsError
from harness.study_file import Study, read_study


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the study lies; the working directory is another."""
    folder, here = tmp_path / "studies", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


def study_file(home: Path, text: str) -> Path:
    path = home / "s.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_study_is_the_default(home: Path) -> None:
    study, modules = read_study(study_file(home, ""))
    assert study == Study()
    assert study.corpus.name == "demo"
    assert study.corpus.root == ""
    assert study.train.seeds == [0]
    assert [m.handle for m in modules] == ["builtin:scattering"]


def test_sections_are_read(home: Path) -> None:
    text = """
    [corpus]
    name = "csv"
    classes = ["a", "b"]
    columns = {path = "file", label = "species"}
    [convert]
    encodings = ["gray"]
    [convert.fine]
    encoding = "logmel"
    [merge.both]
    how = "stack"
    [train]
    learning_rate = 1
    strengths = [0.1, 1]
    [evaluate]
    baseline = "gray"
    """
    study, _ = read_study(study_file(home, text))
    assert study.corpus.columns == {"path": "file", "label": "species"}
    assert study.convert == {"encodings": ["gray"], "fine": {"encoding": "logmel"}}
    assert study.merge == {"both": {"how": "stack"}}
    assert study.train.learning_rate == 1.0
    assert study.train.strengths == [0.1, 1.0]
    assert study.evaluate.baseline == "gray"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[trian]",
            "section 'trian' is not known; did you mean 'train'? available: convert, corpus, evaluate, fuse, merge, "
            "plugins, train",
        ),
        (
            "[evaluate]\nbase_line = ''",
            "[evaluate] base_line: no such setting; did you mean 'baseline'? available: all_pairs, baseline, repeats",
        ),
        (
            "[train]\nmodule = 'x'",
            "[train] module: no such setting; did you mean 'modules'? available: balance, head, learning_rate, "
            "modules, seeds, steps, strengths, train_batch_size",
        ),
        ("[train]\nseeds = 3", "[train] seeds=3: must be a list"),
        ("[train]\nseeds = []", "[train] seeds=[]: must not be empty"),
        ("[train]\nseeds = ['a']", "[train] seeds='a': must be an integer"),
        ("[train]\nseeds = [true]", "[train] seeds=True: must be an integer"),
        ("[train]\nstrengths = 'strong'", "[train] strengths='strong': must be a list"),
        ("[train]\nstrengths = ['x']", "[train] strengths='x': must be a number"),
        ("[train]\nsteps = 0", "[train] steps=0: must be 1 or more"),
        ("[train]\nsteps = 10.5", "[train] steps=10.5: must be an integer"),
        ("[train]\nlearning_rate = 0", "[train] learning_rate=0: must be above 0"),
        ("[train]\nmodules = [3]", "[train] modules=3: must be a text"),
        ("[corpus]\nname = 3", "[corpus] name=3: must be a text"),
        ("[corpus]\nfolds = '5'", "[corpus] folds='5': must be an integer"),
        ("[corpus]\nfolds = -1", "[corpus] folds=-1: must be 0 or more"),
        ("[corpus]\ncolumns = {path = 1}", "[corpus] columns.path=1: must be a text"),
        ("convert = 'gray'", "convert='gray': must be a table, [convert]"),
    ],
)
def test_each_mistake_is_one_exact_line(home: Path, text: str, line: str) -> None:
    path = study_file(home, text)
    with pytest.raises(SettingsError, match=rf"^{re.escape(f'{path}: {line}')}$"):
        read_study(path)


def test_a_mistake_in_a_setting_is_found_too(home: Path) -> None:
    path = study_file(home, "")
    with pytest.raises(SettingsError, match=r"^--set train\.heads: no such setting; did you mean 'head'\?"):
        read_study(path, ["train.heads=sgd"])
    with pytest.raises(SettingsError, match=r"^--set 'train\.head': expected section\.key=value$"):
        read_study(path, ["train.head"])


def test_no_such_study(home: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        read_study(home / "none.toml")


def test_settings_lie_over_the_file(home: Path) -> None:
    path = study_file(home, "[train]\nhead = 'lbfgs'\nseeds = [0, 1]")
    study, _ = read_study(path, ["train.head=sgd", "corpus.folds=4", "convert.fine={encoding = 'gray'}"])
    assert study.train.head == "sgd"
    assert study.train.seeds == [0, 1]
    assert study.corpus.folds == 4
    assert study.convert == {"fine": {"encoding": "gray"}}


@pytest.mark.parametrize("setting", ["corpus.root=data", "corpus={root = 'data'}", " corpus . root = data"])
def test_a_root_is_relative_to_where_it_was_said(home: Path, setting: str) -> None:
    path = study_file(home, "[corpus]\nroot = 'data'")
    assert read_study(path)[0].corpus.root == str(home / "data")
    assert read_study(path, ["train.head=sgd"])[0].corpus.root == str(home / "data")
    assert read_study(path, [setting])[0].corpus.root == str(Path.cwd() / "data")


def test_an_absolute_root_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(home / "x")
    assert read_study(study_file(home, f"[corpus]\nroot = '{root}'"))[0].corpus.root == root
    monkeypatch.setenv("HOME", str(home))
    assert read_study(study_file(home, "[corpus]\nroot = '~/y'"))[0].corpus.root == str(home / "y")


def test_a_study_named_relatively_has_an_absolute_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study_file(home, "[corpus]\nroot = '../data'")
    monkeypatch.chdir(home)
    root = Path(read_study("s.toml")[0].corpus.root)
    assert root.is_absolute()
    assert root.resolve() == home.parent / "data"


@pytest.mark.parametrize("setting", ['train.modules=["mine"]', 'train={modules = ["mine"]}'])
def test_modules_are_relative_to_where_they_were_said(home: Path, setting: str) -> None:
    path = study_file(home, "[train]\nmodules = ['mine', {handle = 'theirs', sample_rate = 16000}]")
    _, modules = read_study(path, ["corpus.folds=3"])
    assert [(m.handle, m.base, m.sample_rate) for m in modules] == [("mine", home, 0), ("theirs", home, 16000)]
    _, modules = read_study(path, [setting])
    assert [(m.handle, m.base) for m in modules] == [("mine", Path.cwd())]


def test_a_module_that_is_misspelt(home: Path) -> None:
    path = study_file(home, "[train]\nmodules = ['builtin:scater']")
    with pytest.raises(SettingsError, match=r"module 'builtin:scater' is not known; did you mean 'builtin:scattering'"):
        read_study(path)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "setting",
    ["train.strengths=[{}]", "train.strengths=[1.0, {}]", "train.learning_rate={}", "corpus.split={{train={}}}"],
)
def test_numbers_that_are_not_finite_are_refused_by_name(home: Path, setting: str, value: str) -> None:
    name = setting.split("=")[0]
    with pytest.raises(SettingsError, match=rf"{name.replace('.', '.')}.*(finite|above 0)"):
        read_study(study_file(home, ""), [setting.format(value)])
