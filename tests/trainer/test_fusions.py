"""Fused rows: what may be asked for, which clips they have, and that no weight is chosen on a test fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_study import command

from harness.errors import SettingsError
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import parse
from harness.record import read_steps
from harness.store import Store
from harness.tables import FAILURES, PREDICTIONS, read
from trainer.__main__ import app
from trainer.ablation import Combination, combinations
from trainer.fitting import HeadSettings
from trainer.fusions import Fusion, fusions_from_options, fusions_from_study
from trainer.inputs import read_encoding
from trainer.late_fusion import simplex_weights
from trainer.repeats import repeat_all
from trainer.running import Outcome, train_all

NET, HEAR = ModuleSpec(handle="net"), ModuleSpec(handle="hear")
ROWS = [
    *(Combination(name, NET, "lbfgs", seed) for name in ("gray", "logmel") for seed in (0, 1)),
    *(Combination("sound", HEAR, "lbfgs", seed) for seed in (0, 1)),
]
PAIR = {"how": "mean", "of": ["gray", "logmel"]}
Train = Callable[..., Outcome]


@pytest.fixture
def train(studied: Path, tiny_module: str, tmp_path: Path) -> Train:
    """Train gray and waveform images of the shared study, changed by a function, and what joins them."""
    images, store = studied / "run" / "images" / "images.csv", Store(studied / "store")

    def trained(
        change: Callable[[str, pd.DataFrame], pd.DataFrame], fuse: str = "both=weighted:gray,waveform"
    ) -> Outcome:
        tables = {name: change(name, read_encoding(images, name)) for name in ("gray", "waveform")}
        todo = combinations(list(tables), [parse(tiny_module)], HeadSettings(), [0], store=store)
        fusions = fusions_from_options([fuse], todo, list(tables))
        outcome = train_all(tables, todo, HeadSettings(), tmp_path / "run", store=store, fusions=fusions)
        repeat_all(tables, todo, HeadSettings(), tmp_path / "run", repeats=1, store=store, fusions=fusions)
        return outcome

    return trained


def weights(out: Path) -> dict[str, list[float]]:
    """The weights of the only fused row, by fold."""
    (fused,) = read_steps(out)["train"]["spec"]["fused"].values()
    (found,) = fused["weights"].values()
    return dict(found)


def test_the_members_are_all_rows_of_the_names() -> None:
    (found,) = fusions_from_study({"all": {"how": "mean", "of": ["sound", "gray"]}}, ROWS, ["gray", "logmel"])
    assert found == Fusion("all", "mean", (("sound", HEAR), ("gray", NET)))
    assert found.combination("lbfgs", 1).named() == {
        "encoding": "all", "module": "fusion:mean", "head": "lbfgs", "seed": "1",
    }  # fmt: skip
    assert found.rows("lbfgs", 1) == [ROWS[5], ROWS[1]]
    assert found.words() == "all: mean of sound through hear, gray through net"


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"a": 3}, r'\[fuse\] a=3: must be a table, \[fuse.a\] how = "mean", of = \[...\]'),
        ({"a/b": PAIR}, r"\[fuse.a/b\]: a name has letters, digits, '_', '-' and '.', at most 100"),
        ({"a" * 101: PAIR}, r"a name has letters, digits, '_', '-' and '.', at most 100"),
        ({"a": {"how": "mean", "of": "gray"}}, r"\[fuse.a\] of='gray': must be a list of names"),
        ({"a": PAIR, "b": {**PAIR, "of": PAIR["of"][::-1]}}, r"\[fuse.b\]: is the same as 'a'"),
        ({"Gray": PAIR}, r"\[fuse.Gray\]: 'gray' is the name of another row already; give the fused one another"),
        ({"sound": PAIR}, r"\[fuse.sound\]: 'sound' is the name of another row already"),
        ({"a": PAIR, "A": PAIR}, r"\[fuse.A\]: 'a' is the name of another row already"),
        ({"a": {"of": ["gray", "logmel"]}}, r"\[fuse.a\] how: is missing"),
        ({"a": {**PAIR, "how": "means"}}, r"\[fuse.a\] how='means': did you mean 'mean'\? available: mean, vectors, w"),
        ({"a": {"how": "mean", "of": []}}, r"\[fuse.a\] of=\(\): must not be empty|of=\[\]: must not be empty"),
        ({"a": {**PAIR, "off": 1}}, r"\[fuse.a\] off: no such setting; did you mean 'of'\?"),
        ({"a": {"how": "mean", "of": ["gray", "logmell"]}}, r"\[fuse.a\] of: 'logmell' is no encoding .* did you mean"),
        ({"a": {"how": "mean", "of": ["gray", "gray"]}}, r"\[fuse.a\] of: 'gray' is given twice"),
        ({"a": {**PAIR, "modules": ["nett"]}}, r"\[fuse.a\] modules: 'nett' is no module here; did you mean 'net'\?"),
        ({"a": {**PAIR, "modules": ["hear"]}}, r"\[fuse.a\] of: 'gray' goes through none of the modules hear"),
        ({"a": {"how": "mean", "of": ["gray"]}}, r"\[fuse.a\]: has one member only, 'gray' through 'net'; name two"),
    ],
)  # fmt: skip
def test_what_cannot_be_fused_is_said_in_one_line(table: dict[str, object], line: str) -> None:
    with pytest.raises(SettingsError, match=line):
        fusions_from_study(table, ROWS, ["gray", "logmel"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("mean:gray,logmel", "--fuse mean:gray,logmel: expected NAME=HOW:ENCODING,ENCODING"),
        ("a=gray,logmel", "--fuse a=gray,logmel: expected NAME=HOW"),
        ("a=mena:gray,logmel", "--fuse a: how='mena': did you mean 'mean'"),
        ("a=mean:gray,grey", "--fuse a: of: 'grey' is no encoding here; did you mean 'gray'"),
    ],
)
def test_the_command_line_names_its_own_words(text: str, line: str) -> None:
    with pytest.raises(SettingsError, match=line):
        fusions_from_options([text], ROWS, ["gray", "logmel"])


def test_weights_are_the_best_of_the_simplex() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 200)
    logits = rng.standard_normal((3, 200, 3))
    logits[0, np.arange(200), targets] += 1.0
    logits[1, np.arange(200), targets] += 0.5
    log_scores = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))

    def loss(own: np.ndarray) -> float:
        mixed = np.tensordot(own, log_scores, axes=1)
        return float(-(mixed[np.arange(200), targets] - np.log(np.exp(mixed).sum(axis=1))).mean())

    found = simplex_weights(log_scores, targets)
    assert found[0] > found[1] > found[2] >= 0
    assert found.sum() == pytest.approx(1)
    assert all(loss(found) <= loss(each) + 1e-7 for each in rng.dirichlet(np.ones(3), 500))
    assert simplex_weights(log_scores[:, :0], targets[:0]).tolist() == [1 / 3] * 3


def test_no_weight_is_chosen_on_the_fold_that_is_tested(train: Train, tmp_path: Path) -> None:
    train(lambda _, table: table)
    before = weights(tmp_path / "run")

    def permuted(_: str, table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        own = table["fold"] == "1"
        table.loc[own, "label"] = table.loc[own, "label"].map({"chirp": "hum", "hum": "hiss", "hiss": "chirp"})
        return table

    train(permuted)
    after = weights(tmp_path / "run")
    np.testing.assert_allclose(after["1"], before["1"], atol=1e-4)
    assert max(abs(a - b) for fold in ("2", "3") for a, b in zip(after[fold], before[fold], strict=True)) > 0.01


@pytest.mark.parametrize("how", ["mean", "weighted", "vectors"])
def test_a_clip_that_a_member_lacks_has_no_fused_row(how: str, train: Train, tmp_path: Path, tiny_module: str) -> None:
    def without_one(name: str, table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[1:].reset_index(drop=True) if name == "waveform" else table

    outcome = train(without_one, f"both={how}:waveform,gray")
    counts = outcome.predictions.groupby("encoding").size()
    assert counts.to_dict() == {"both": 26, "gray": 27, "waveform": 26}
    (failure,) = outcome.failures.to_dict("records")
    assert failure["clip_id"] not in set(outcome.predictions.query("encoding == 'both'")["clip_id"])
    assert failure["step"] == f"train: both through fusion:{how}"
    assert failure["reason"] == f"has no features of waveform through {tiny_module}, which this row joins"
    repeats = pd.read_csv(tmp_path / "run" / "repeats.csv")
    assert repeats["encoding"].value_counts().to_dict() == {"both": 3, "gray": 3, "waveform": 3}


def test_the_stage_fuses_too(
    studied: Path, tiny_module: str, tiny_yamnet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = studied / "run"
    given = ["--images", run / "images" / "images.csv", "--clips", run / "clips.csv", "--store", studied / "store"]
    given += ["--module", tiny_module, "--module", tiny_yamnet, "--encoding", "gray", "--out", tmp_path / "out"]
    said = command(app, "run", *given, "--fuse", "two=weighted:gray,sound", capsys=capsys)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[2].startswith("two  fusion:weighted  seed 0  ")
    assert lines[3].startswith(f"two  seed 0  weights: gray through {tiny_module} 0.")
    assert set(read(tmp_path / "out" / PREDICTIONS.name, PREDICTIONS)["encoding"]) == {"gray", "sound", "two"}
    assert not (tmp_path / "out" / FAILURES.name).exists()
    said = command(app, "run", *given, "--fuse", "gray=mean:gray,sound", capsys=capsys)
    assert said.code == 1
    assert said.warnings == [
        "error: --fuse gray: 'gray' is the name of another row already; give the fused one another"
    ]
