"""A corpus in one file."""

from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, need_folder


def scan(root: Path, options: ScanOptions) -> list[Row]:
    """A recording is of the class that its name begins with."""
    need_folder(root, what="wavs named <class>-<anything>.wav")
    return [{"path": path, "label": path.stem.partition("-")[0]} for path in find_sounds(root)]


BY_NAME = Corpus(
    name="by_name",
    title="Recordings whose names begin with their class",
    citation="none: recordings of one's own",
    licence="not known",
    url="",
    folds="none",
    group="the recording",
    scan=scan,
)
