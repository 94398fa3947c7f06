"""Work sent to worker processes gives the tables of one machine, whatever dies meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from small_study import MERGES, PATTERN, write_corpus, write_study

import converter
import corpora
import merger
import study
import trainer
from harness import cluster as clusters
from harness import cluster_connection
from harness.cluster import Cluster, current
from harness.cluster_connection import connected
from harness.errors import ClusterError, SettingsError, WorkerError
from harness.parallel import in_parallel
from harness.registry import load_plugin
from harness.store import Store
from harness.tables import CLIPS, write
from trainer import drawn_features

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")  # Dask needs it
ROOT = Path(__file__).parents[2]
NO_PAGE = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": ":0"}}
PID = "__import__('os').getpid()"  # workers do not have the functions of tests
PLUGIN = """
from converter.encodings.gray import Gray

class Mine(Gray):
    name = "mine"

def twice(n):
    return 2 * n
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two worker processes, as `dask scheduler` and `dask worker` would be."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, **NO_PAGE, silence_logs=60, memory_limit=0
    ) as running:
        yield running.scheduler_address


@pytest.fixture
def cluster(address: str) -> Iterator[Cluster]:
    with connected(address) as connection:
        assert connection is not None
        yield connection


# ---- the same results


@pytest.mark.parametrize("computes", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_same_tables_and_heads_as_on_one_machine(
    computes: bool, tmp_path: Path, address: str, tiny_module: str, tiny_yamnet: str
) -> None:
    """The short form has the vectors in the store, so that the workers need not import TensorFlow."""
    sounds = write_corpus(tmp_path / "sounds")
    (sounds / "hum" / "1-999-9.wav").write_bytes(b"RIFF, and nothing else")
    corpora.scan_to_table("folders", str(sounds), out=tmp_path / "clips.csv", pattern=PATTERN)

    def run(out: Path, store: Store) -> dict[str, bytes]:
        clips = converter.read_clips(tmp_path / "clips.csv")
        encodings = converter.encodings_from_options(["gray", "waveform"], size="32x32", pairs=[])
        methods = {"stacked": merger.method_from_options("stack", ["gray", "waveform"], pairs=[])}
        drawn = converter.convert_clips(clips, encodings, out, store=store)
        merger.merge_images(drawn.images, out, methods, out, store=store)
        assert list(drawn.failures["clip_id"]) == ["1-999-9.wav"]
        readable = tmp_path / "good.csv"
        write(clips[clips["clip_id"] != "1-999-9.wav"], readable, CLIPS)
        outcome = trainer.train_images(
            out / "images.csv",
            out / "run",
            modules=[tiny_module, tiny_yamnet],
            clips=readable,
            seeds=[0, 1],
            store=store,
        )
        assert (outcome.computed > 0) == (computes or store.root.name == "alone_store")
        return {
            path.relative_to(out).as_posix(): path.read_bytes()
            for path in sorted(out.rglob("*"))
            if path.suffix in (".csv", ".npz", ".png")
        }

    alone = run(tmp_path / "alone", Store(tmp_path / "alone_store"))
    if not computes:
        shutil.copytree(tmp_path / "alone_store" / "vectors", tmp_path / "there_store" / "vectors")
    with connected(address):
        there = run(tmp_path / "there", Store(tmp_path / "there_store"))
    assert [name for name in alone if alone[name] != there.get(name)] == []
    assert set(alone) == set(there)
    assert sum(name.startswith("run/heads/") for name in there) == 8


def test_images_in_memory_become_vectors_on_the_workers(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = write_corpus(tmp_path / "sounds", takes=1)
    (sounds / "hum" / "1-999-9.wav").write_bytes(b"RIFF, and nothing else")
    file = write_study(tmp_path / "memory.toml", sounds, ["builtin:scattering"], more=MERGES)
    given = ["convert.keep_images=false", 'convert.encodings=["gray", "waveform"]']
    plan = study.make_plan(file, given, Store(tmp_path / "alone_store"))
    study.run_study(plan, tmp_path / "alone")

    def load(*_: object) -> None:
        raise AssertionError("a module is loaded by the command itself")

    monkeypatch.setattr(drawn_features, "_load", load)
    with connected(address):
        there = study.run_study(study.make_plan(file, given, Store(tmp_path / "there_store")), tmp_path / "there")
        again = study.run_study(study.make_plan(file, given, Store(tmp_path / "there_store")), tmp_path / "again")
    assert list(there.failures["clip_id"]) == list(again.failures["clip_id"]) == ["1-999-9.wav"]
    tables = ("predictions.csv", "ranking.csv", "failures.csv", "images/images.csv")
    for name in tables:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def test_results_are_in_the_order_of_the_items(cluster: Cluster) -> None:
    assert current() is cluster
    assert list(in_parallel(abs, range(-100, 0), jobs=1, what="x")) == list(range(100, 0, -1))
    assert list(in_parallel(abs, [], jobs=1, what="x")) == []


def test_work_is_done_by_several_processes_and_only_inside_the_block(address: str) -> None:
    with connected(address):
        pids = set(in_parallel(eval, [PID] * 40, jobs=1, what="x", batch=1))
    assert os.getpid() not in pids
    assert current() is None
    assert set(in_parallel(eval, [PID] * 2, jobs=1, what="x")) == {os.getpid()}


def test_a_plugin_is_loaded_by_the_workers(tmp_path: Path, cluster: Cluster) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    twice = load_plugin(file).twice
    assert list(cluster.map(twice, [1, 2])) == [2, 4]


def test_few_tasks_are_under_way_at_a_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    submit = cluster._submit
    monkeypatch.setattr(cluster, "_submit", lambda *given: begun.append(1) or submit(*given))  # type: ignore[func-returns-value]
    results = cluster.map(abs, range(1000), batch=1)
    next(results)
    assert len(begun) < 20
    results.close()


# ---- what dies


def test_a_killed_worker_s_tasks_are_done_by_another(cluster: Cluster) -> None:
    victim = next(iter(cluster.map(eval, [PID])))
    results = cluster.map(sum, [range(500_000 + k) for k in range(24)], batch=1)
    found = [next(results)]
    os.kill(victim, signal.SIGKILL)
    assert found + list(results) == [sum(range(500_000 + k)) for k in range(24)]


def test_a_task_that_ends_its_worker_is_given_up(cluster: Cluster) -> None:
    with pytest.raises(WorkerError, match="one task has ended several workers"):
        list(cluster.map(os._exit, [7]))


def test_a_scheduler_that_goes_away() -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, processes=False, protocol="tcp", host="127.0.0.1", **NO_PAGE, silence_logs=60
        ) as running,
        connected(running.scheduler_address) as connection,
    ):
        assert connection is not None
        results = connection.map(abs, range(1000), batch=1)
        next(results)
        running.close()
        with pytest.raises(ClusterError, match=r"connection to the scheduler is lost.*run the same command again"):
            list(results)


def test_what_a_function_raises_comes_out_as_itself(cluster: Cluster) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(cluster.map(os.stat, ["nowhere"]))
    with pytest.raises(SettingsError, match="expected the address"):
        list(cluster.map(partial(cluster_connection._parse, name="x"), ["y"]))


# ---- workers that may not do the work


def test_a_worker_of_another_version_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "versions", lambda: (("numpy", "1.0"),))
    with connected(address) as connection, pytest.raises(ClusterError, match=r"a worker has numpy .* numpy 1\.0"):
        assert connection is not None
        list(connection.map(abs, [1]))


def test_a_worker_that_does_not_see_the_files_is_refused(tmp_path: Path, cluster: Cluster) -> None:
    cluster.require(files=[tmp_path / "there.wav"], folders=[tmp_path / "store"])
    assert (tmp_path / "store").is_dir()
    with pytest.raises(ClusterError, match=r"does not see .*there\.wav; .*folder that all machines"):
        list(cluster.map(abs, [1]))


@pytest.mark.parametrize(
    ("scheduler", "says"),
    [
        ("localhost:8786", "did you mean tcp://localhost:8786"),
        ("local:0", "expected the address of a Dask scheduler"),
        ("everywhere", "or local:4 for four processes"),
    ],
)
def test_a_scheduler_that_is_none(scheduler: str, says: str) -> None:
    with (
        pytest.raises(SettingsError, match=f"^--scheduler={scheduler!r}: .*{says}"),
        connected(scheduler, name="--scheduler"),
    ):
        pass


def test_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_connection, "_ANSWER_S", 0.2)
    with (
        pytest.raises(ClusterError, match=r"no scheduler answers there .* dask scheduler$"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass


def test_dask_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'soundfold\[cluster\]'"), connected("local:2"):
        pass


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="a process group is needed")
def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    file = write_study(
        tmp_path / "small.toml", write_corpus(tmp_path / "sounds"), ["builtin:scattering"], encodings='["gray"]'
    )
    words = [sys.executable, "study.py", file, "--out", tmp_path / "run", "--store", tmp_path / "store"]
    with subprocess.Popen(
        [*map(str, words), "--scheduler", "local:2"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        assert any(line.startswith("images") for line in running.stderr)  # features and heads come next
        children = psutil.Process(running.pid).children(recursive=True)
        assert len(children) >= 2
        os.killpg(running.pid, signal.SIGINT)
        said = running.stderr.read()
        assert running.wait(timeout=60) == 130
    assert said == "interrupted: run the same command again to go on where it stopped\n"
    assert psutil.wait_procs(children, timeout=60)[1] == []
