"""A whole study whose corpus and store are on S3: the same tables as on local folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joblib.externals.loky import get_reusable_executor
from s3_server import s3_server
from small_study import MERGES, snapshot, write_corpus, write_study

import study
from harness import remote

TABLES = ("predictions.csv", "metrics.csv", "ranking.csv", "images/images.csv")


@pytest.fixture
def s3() -> Iterator[Any]:
    with s3_server("studies") as system:
        get_reusable_executor().shutdown(wait=True)  # processes of other tests do not know the server
        yield system
        get_reusable_executor().shutdown(wait=True)


@pytest.mark.long
def test_a_study_on_s3_gives_the_tables_of_a_local_one(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write_corpus(tmp_path / "sounds", folds=3, takes=2)
    s3.put(str(corpus), "studies/", recursive=True)
    modules, settings = ["builtin:scattering"], {"encodings": '["gray", "waveform"]', "more": MERGES}
    here = write_study(tmp_path / "here.toml", corpus, modules, **settings)
    there = write_study(tmp_path / "there.toml", Path("s3://studies/sounds"), modules, **settings)
    there.write_text(there.read_text().replace("s3:/", "s3://"))
    assert study.study(here, out=tmp_path / "here", store=tmp_path / "store", jobs=2).failures.empty
    for name in ("first", "second"):
        assert study.study(there, out=tmp_path / name, store="s3://studies/store", jobs=2).failures.empty
        assert snapshot(tmp_path / name, *TABLES) == snapshot(tmp_path / "here", *TABLES)
    assert capsys.readouterr().err.count("; 0 new feature vectors") == 1, "the last takes what is in the store"
    kinds = {url.split("/")[4] for url in remote.files_below("s3://studies/store")}
    assert kinds >= {"images", "vectors", "heads", "digests", "fingerprints"}
