from .arranging import arrange as arrange
from .arranging import arrange_table as arrange_table
from .base import Corpus as Corpus
from .base import ScanOptions as ScanOptions
from .loading import CORPORA as CORPORA
from .loading import load as load
from .loading import missing_files as missing_files
from .loading import warnings_of as warnings_of
from .scanning import ScanResult as ScanResult
from .scanning import list_corpora as list_corpora
from .scanning import make_demo as make_demo
from .scanning import scan_to_table as scan_to_table
from .scanning import summary as summary

__all__ = [
    "CORPORA",
    "Corpus",
    "ScanOptions",
    "ScanResult",
    "arrange",
    "arrange_table",
    "list_corpora",
    "load",
    "make_demo",
    "missing_files",
    "scan_to_table",
    "summary",
    "warnings_of",
]
