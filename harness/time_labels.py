"""Labels of times in files of Audacity, Raven and Praat, read; crowsetta (the extra ``annotations``) reads Praat's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import SettingsError, TableError
from harness.label_tables import TimeLabel, is_raven, read_audacity, read_raven

__all__ = ["crowsetta_module", "read_time_labels"]


def crowsetta_module() -> Any:
    """The package crowsetta.

    Raises
    ------
    SettingsError
        It is not installed.
    """
    try:
        import crowsetta  # half a second, and installed only with the extra `annotations`
    except ImportError:
        raise SettingsError(
            "label files of Audacity, Raven and Praat need crowsetta, which is not installed; "
            "pip install 'soundfold[annotations]'"
        ) from None
    return crowsetta


def read_time_labels(file: Path) -> list[TimeLabel]:
    """Read labels of times, in the order of the file.

    Parameters
    ----------
    file : Path
        ``.TextGrid`` is Praat's; a ``.txt`` with Raven's header is Raven's, any other Audacity's.

    Raises
    ------
    TableError
        The file cannot be read, or is not of its format.
    SettingsError
        It is Praat's, and crowsetta is not installed.
    """
    praat = file.suffix.lower() == ".textgrid"
    try:
        if not file.read_bytes().strip():
            return []
        if praat:
            return _read_praat(file)
        return read_raven(file) if is_raven(file) else read_audacity(file)
    except OSError as error:
        raise TableError(f"{file}: {error.strerror or error}") from error
    except (TableError, SettingsError):
        raise
    except Exception as error:  # whatever crowsetta and its checks raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise TableError(f"{file}: not a label file of Praat ({reason})") from error


def _read_praat(file: Path) -> list[TimeLabel]:
    tiers = [
        tier for tier in crowsetta_module().formats.seq.TextGrid.from_file(file).tiers if hasattr(tier, "intervals")
    ]
    found = [TimeLabel(i.xmin, i.xmax, i.text.replace('""', '"'), 0) for tier in tiers for i in tier.intervals]
    return [each for each in found if each.label]
