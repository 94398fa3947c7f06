"""The corpus ``bird_sites``: recordings named ``<species>_<site>_<number>.wav``."""

import re
from pathlib import Path

from corpora.base import Corpus, Row, ScanOptions, find_sounds, match_name, need_folder

_NAME = re.compile(r"(?P<species>[a-z]+)_(?P<site>[a-z]+)_\d+\.wav")
_EXPECTED = "<species>_<site>_<number>.wav"


def scan(root: Path, options: ScanOptions) -> list[Row]:
    """A row for each recording; its site is the group."""
    need_folder(root, what=f"wavs named {_EXPECTED}")
    rows = []
    for path in find_sounds(root):
        parts = match_name(path, _NAME, expected=_EXPECTED)
        rows.append({"path": path, "label": parts["species"], "group": parts["site"]})
    return rows


BIRD_SITES = Corpus(
    name="bird_sites",
    title="Birds at several sites",
    citation="none: recordings of one's own",
    licence="CC0",
    url="",
    folds="none",
    group="the site",
    scan=scan,
)
