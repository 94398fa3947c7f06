"""Where SavedModels lie, what their publishers are known to expect; fetches what a handle names.

A SavedModel is a program: its graph can have operations that read and write files. What is fetched is said.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ModuleError
from harness.files import digest_file, digest_json, walk
from harness.hub.base import UnavailableError
from harness.hub.handles import ModuleSpec
from harness.hub.tensorflow import import_tensorflow

__all__ = ["PublisherInfo", "folder_digest", "known_publisher", "locate"]

_NO_CONTENT = {"fingerprint.pb", ".DS_Store", "README.md"}
_CLOCK_S = 2.5  # of the coarsest file system's


@dataclass(frozen=True)
class PublisherInfo:
    """What is known of a module from its name alone."""

    pattern: str
    image_size: tuple[int, int] | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    sample_rate: int = 0


_PUBLISHERS = (
    PublisherInfo(r"yamnet", sample_rate=16000),
    PublisherInfo(r"vggish", sample_rate=16000),
    PublisherInfo(r"trillsson|trill|nonsemantic-speech|speech_embedding|frill", sample_rate=16000),
    PublisherInfo(r"perch|bird-vocalization-classifier", sample_rate=32000),
    PublisherInfo(r"birdnet", sample_rate=48000),
    PublisherInfo(r"humpback", sample_rate=10000),
    PublisherInfo(r"inception_?v3|inception-v3|inception_resnet_v2|inception-resnet-v2|xception", (299, 299)),
    PublisherInfo(r"nasnet(_|/|-)large|pnasnet", (331, 331)),
    PublisherInfo(r"bit/(s|m|r)-r\d+", (224, 224)),
)


def known_publisher(handle: str) -> PublisherInfo | None:
    """What the handle's name says, or None; of a folder's path its last two parts count, e.g. ``yamnet/1``."""
    if not _is_remote(handle):
        handle = "/".join(Path(handle).parts[-2:])
    for known in _PUBLISHERS:
        if re.search(known.pattern, handle, re.IGNORECASE):
            return known
    size = re.search(r"(?<!\d)(96|128|160|192|224|240|256|260|299|300|331|380|384|456|480|512|528|600)(?!\d)", handle)
    return PublisherInfo(handle, (int(size[1]), int(size[1]))) if size else None


def locate(spec: ModuleSpec) -> Path:
    """Find the module's SavedModel folder, fetching it where the handle says so.

    Raises
    ------
    ModuleError
        It is not there, cannot be fetched, or is no SavedModel.
    """
    path = _fetched(spec) if _is_remote(spec.handle) else spec.base / Path(spec.handle).expanduser()
    if not path.is_dir():
        raise UnavailableError(f"module {spec.handle!r}: no such folder")
    if not any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ModuleError(f"module {spec.handle!r}: not a SavedModel, no saved_model.pb in the folder")
    return path


def _is_remote(handle: str) -> bool:
    return bool(re.match(r"(https?|gs)://|kaggle:", handle))


def _fetched(spec: ModuleSpec) -> Path:
    began = time.time()
    try:
        path = _from_kaggle(spec.name) if spec.scheme == "kaggle" else _from_address(spec.handle)
    except Exception as error:  # urllib, requests, tarfile, kagglehub and TensorFlow all have errors of their own
        raise UnavailableError(f"module {spec.handle!r} cannot be fetched ({_short(error)})") from error
    if path.is_dir() and path.stat().st_ctime >= began - _CLOCK_S:  # now, not before
        print(
            f"warning: module {spec.handle!r} was fetched; a SavedModel is a program, which can read and write files "
            "here: use those of publishers whom you trust",
            file=sys.stderr,
            flush=True,
        )
    return path


def _from_kaggle(name: str) -> Path:
    import kagglehub  # only for its handles

    return Path(kagglehub.model_download(name))


def _from_address(handle: str) -> Path:
    import_tensorflow()  # quietly, before tensorflow_hub does it
    import tensorflow_hub  # only for its handles

    return Path(tensorflow_hub.resolve(handle))


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "resolve" in text or "not known" in text:
        return "no network: the host name cannot be resolved"
    return text[:160] or type(error).__name__


def folder_digest(folder: Path) -> str:
    """sha256 over names and bytes of a module's files, links followed; its fingerprint file does not count."""
    files = sorted(path for path in _files_below(folder) if path.name not in _NO_CONTENT)
    return digest_json([[f.relative_to(folder).as_posix(), digest_file(f)] for f in files])


def _files_below(folder: Path) -> Iterator[Path]:
    """All files, also those in folders that are links, as TensorFlow reads them; not what a link leads back up to."""
    for root, below, names in walk(folder):
        here = Path(root).resolve()
        below[:] = [name for name in below if not here.is_relative_to(Path(root, name).resolve())]
        yield from (Path(root, name) for name in names)
