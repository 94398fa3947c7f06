"""Module handles: what they mean, where the files lie, one line where a module is not available."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from harness.errors import ModuleError, SettingsError
from harness.hub.fetching import folder_digest, known_publisher, locate
from harness.hub.handles import ModuleSpec
from harness.hub.kinds import describe, kind_of, parse

TFHUB = "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"
KAGGLE = "kaggle:google/mobilenet-v2/tensorFlow2/100-224-feature-vector"
OFFLINE = "without a network there are builtin:scattering, a local SavedModel folder"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What looks like a SavedModel from outside."""
    root = tmp_path / "modules" / "mine"
    (root / "variables").mkdir(parents=True)
    (root / "saved_model.pb").write_bytes(b"graph")
    (root / "variables" / "variables.index").write_bytes(b"index")
    return root


@pytest.mark.parametrize(
    ("handle", "kind", "name"),
    [
        ("builtin:scattering", "builtin", "scattering"),
        ("keras:MobileNetV2", "keras", "MobileNetV2"),
        (KAGGLE, "kaggle", "google/mobilenet-v2/tensorFlow2/100-224-feature-vector"),
        (TFHUB, "folder", TFHUB.removeprefix("https:")),
        ("http://example.org/m.tar.gz", "folder", "//example.org/m.tar.gz"),
        ("gs://bucket/m", "folder", "//bucket/m"),
        ("../modules/mine", "folder", "../modules/mine"),
        ("C:/modules/mine", "folder", "C:/modules/mine"),
        ("keras", "folder", "keras"),
    ],
)
def test_kinds(handle: str, kind: str, name: str) -> None:
    spec = parse(f" {handle} ")
    assert (spec.handle, kind_of(spec).name, spec.name) == (handle, kind, name)
    assert spec.overrides() == {"image_size": None, "value_range": None, "sample_rate": 0}


def test_a_table_says_more(tmp_path: Path) -> None:
    given = {"handle": "m", "image_size": [96, 128], "value_range": [-1, 1], "sample_rate": 16000}
    spec = parse(given, base=tmp_path)
    assert spec == ModuleSpec(
        handle="m", base=tmp_path, image_size=(96, 128), value_range=(-1.0, 1.0), sample_rate=16000
    )
    assert spec.overrides() == {"image_size": [96, 128], "value_range": [-1.0, 1.0], "sample_rate": 16000}
    assert parse({"handle": "m", "image_size": None, "sample_rate": 0}) == parse("m")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"handle": "m", "image_sise": [1, 1]},
            r"^image_sise: a module has no such setting; did you mean 'image_size'\? available: batch_size, ",
        ),
        ({"image_size": [1, 1]}, r"a module needs a handle, e\.g\. builtin:scattering"),
        ("", r"handle='': a module needs a handle"),
        ({"handle": "m", "base": "/"}, r"^base: a module has no such setting"),
        ("builtin:scatering", r"module 'builtin:scatering' is not known; did you mean 'builtin:scattering'\?"),
        ({"handle": "m", "image_size": 224}, r"image_size=224: expected two whole numbers"),
        ({"handle": "m", "image_size": [224]}, r"image_size=\[224\]: expected two whole numbers"),
        ({"handle": "m", "image_size": [224.5, 1]}, r"image_size=\[224\.5, 1\]: expected two whole numbers"),
        ({"handle": "m", "image_size": ["224", 1]}, r"image_size=\['224', 1\]: expected two whole numbers"),
        ({"handle": "m", "image_size": [0, 1]}, r"image_size=\[0, 1\]: height and width must be positive"),
        ({"handle": "m", "value_range": ["a", "b"]}, r"value_range=\['a', 'b'\]: expected two numbers"),
        ({"handle": "m", "value_range": [True, False]}, r"value_range=\[True, False\]: expected two numbers"),
        ({"handle": "m", "value_range": [1, 1]}, r"value_range=\[1, 1\]: black and white must differ"),
        ({"handle": "m", "sample_rate": "16k"}, r"sample_rate='16k': expected a rate in Hz, e\.g\. 16000"),
        ({"handle": "m", "sample_rate": -1}, r"sample_rate=-1: expected a rate in Hz"),
        (
            {"handle": "builtin:scattering", "image_size": [96, 96]},
            r"'builtin:scattering' is what it is; leave out image",
        ),
        ({"handle": "keras:ResNet50", "value_range": [0, 1]}, r"'keras:ResNet50' knows its value_range"),
    ],
)
def test_what_is_not_known_is_said(given: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse(given)


def test_a_message_names_what_was_written() -> None:
    with pytest.raises(SettingsError, match=r"^\[train\] modules sample_rate=-1: expected a rate in Hz"):
        parse({"handle": "m", "sample_rate": -1}, name_of=lambda name: f"[train] modules {name}")


def test_folders_are_relative_to_their_base(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate(parse("modules/mine", base=folder.parents[1])) == folder
    assert locate(parse(str(folder), base=Path("/elsewhere"))) == folder
    assert locate(parse("../modules/mine", base=folder.parent)).resolve() == folder
    monkeypatch.setenv("HOME", str(folder.parent))
    assert locate(parse("~/mine", base=Path("/elsewhere"))) == folder


def test_a_folder_that_is_none(folder: Path) -> None:
    with pytest.raises(ModuleError, match=rf"^module 'nowhere': no such folder; {OFFLINE}") as caught:
        describe(parse("nowhere", base=folder))
    assert "\n" not in str(caught.value)
    with pytest.raises(ModuleError, match=r"^module 'modules': not a SavedModel, no saved_model\.pb in the folder$"):
        locate(parse("modules", base=folder.parents[1]))
    (folder / "saved_model.pb").rename(folder / "saved_model.pbtxt")
    assert locate(parse(str(folder))) == folder


def test_any_byte_changes_the_digest(folder: Path) -> None:
    before = folder_digest(folder)
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        data = path.read_bytes()
        path.write_bytes(data[:-1] + b"!")
        assert folder_digest(folder) != before
        path.write_bytes(data)
        path.rename(path.with_suffix(".renamed"))
        assert folder_digest(folder) != before
        path.with_suffix(".renamed").rename(path)
    (folder / "variables" / "variables.index").rename(folder / "variables.index")
    assert folder_digest(folder) != before, "where a file lies counts"
    (folder / "variables.index").rename(folder / "variables" / "variables.index")
    assert folder_digest(folder) == before
    (folder / "assets").mkdir()
    assert folder_digest(folder) == before, "an empty folder is no content"
    (folder / "assets" / "more").write_bytes(b"")
    assert folder_digest(folder) != before


def test_what_does_not_change_a_module_does_not_change_its_digest(folder: Path) -> None:
    before = folder_digest(folder)
    (folder / "fingerprint.pb").write_bytes(b"1")
    assert folder_digest(folder) == before
    moved = folder.rename(folder.with_name("another"))
    assert folder_digest(moved) == before


@pytest.mark.parametrize("linked", ["variables", "variables/variables.index", "."])
def test_what_a_link_leads_to_is_content(linked: str, folder: Path, tmp_path: Path) -> None:
    """As TensorFlow reads it: another file behind the same link is another module."""
    before = folder_digest(folder)
    target = (folder / linked).rename(tmp_path / "elsewhere")
    (folder / linked).symlink_to(target)
    (target.parent / "up").symlink_to(tmp_path)  # and round again
    if target.is_dir():
        (target / "up").symlink_to(target.parent)
    assert folder_digest(folder) == before
    index = folder / "variables" / "variables.index"
    index.write_bytes(b"other")
    assert folder_digest(folder) != before


@pytest.mark.parametrize(
    ("handle", "rate"),
    [
        ("https://tfhub.dev/google/yamnet/1", 16000),
        ("kaggle:google/yamnet/tensorFlow2/yamnet", 16000),
        ("/models/YAMNet/1", 16000),
        ("../modules/yamnet_waveform_audioset", 16000),
        ("https://tfhub.dev/google/vggish/1", 16000),
        ("kaggle:google/bird-vocalization-classifier/tensorFlow2/perch_v2", 32000),
        ("https://tfhub.dev/google/humpback_whale/1", 10000),
    ],
)
def test_known_rates(handle: str, rate: int) -> None:
    known = known_publisher(handle)
    assert known is not None
    assert known.sample_rate == rate


@pytest.mark.parametrize(
    ("handle", "size"),
    [
        (TFHUB, 224),
        ("https://tfhub.dev/google/imagenet/mobilenet_v2_035_128/feature_vector/5", 128),
        ("https://tfhub.dev/google/imagenet/inception_v3/feature_vector/5", 299),
        ("kaggle:google/nasnet/tensorFlow2/imagenet-nasnet-large", 331),
        ("kaggle:google/inception-v3/tensorFlow2/feature-vector", 299),
        ("https://tfhub.dev/google/imagenet/nasnet_large/feature_vector/5", 331),
        ("https://tfhub.dev/google/bit/m-r50x1/1", 224),
    ],
)
def test_known_sizes(handle: str, size: int) -> None:
    known = known_publisher(handle)
    assert known is not None
    assert known.image_size == (size, size)


def test_a_folder_far_above_says_nothing() -> None:
    assert known_publisher("/home/birdnet/runs/300/modules/mine") is None
    assert known_publisher("mine") is None


def test_a_url_is_fetched_by_tensorflow_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("harness.hub.fetching.import_tensorflow", lambda: None)
    fake_module(monkeypatch, "tensorflow_hub", resolve=lambda handle: asked.append(handle) or str(folder))
    assert locate(parse(TFHUB, base=Path("/elsewhere"))) == folder
    assert asked == [TFHUB]


def test_a_kaggle_handle_is_fetched_by_kagglehub(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    fake_module(monkeypatch, "kagglehub", model_download=lambda handle: asked.append(handle) or str(folder))
    assert locate(parse(KAGGLE)) == folder
    assert asked == [KAGGLE.removeprefix("kaggle:")]
    said = capsys.readouterr().err
    assert said.startswith(f"warning: module {KAGGLE!r} was fetched; a SavedModel is a program, which can read and wri")
    monkeypatch.setattr("harness.hub.fetching._CLOCK_S", -60.0)  # as if it had been there before
    assert locate(parse(KAGGLE)) == folder
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (URLError("[Errno -2] Name or service not known"), "no network: the host name cannot be resolved"),
        (OSError("Failed to resolve 'www.kaggle.com'\n(3 times)"), "no network: the host name cannot be resolved"),
        (RuntimeError("HTTP Error 404:\n  Not Found"), "HTTP Error 404: Not Found"),
        (ValueError(), "ValueError"),
        (RuntimeError("x" * 1000), "x" * 160),
    ],
)
@pytest.mark.parametrize("handle", [TFHUB, KAGGLE])
def test_what_cannot_be_fetched_is_one_line(
    handle: str, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str) -> str:
        raise error

    monkeypatch.setattr("harness.hub.fetching.import_tensorflow", lambda: None)
    fake_module(monkeypatch, "tensorflow_hub", resolve=refuse)
    fake_module(monkeypatch, "kagglehub", model_download=refuse)
    with pytest.raises(ModuleError) as caught:
        describe(parse(handle))
    assert str(caught.value).startswith(f"module {handle!r} cannot be fetched ({reason}); {OFFLINE}")
    assert "\n" not in str(caught.value)


def test_what_was_fetched_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_module(monkeypatch, "kagglehub", model_download=lambda _: str(tmp_path))
    with pytest.raises(ModuleError, match="not a SavedModel"):
        locate(parse(KAGGLE))


def fake_module(monkeypatch: pytest.MonkeyPatch, name: str, **functions: Any) -> None:
    """Put a module in the place of one that would reach for the network."""
    module = types.ModuleType(name)
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, name, module)
