"""Labels of times in files of Audacity, Raven and Praat, read; crowsetta (the extra ``annotations``) reads Praat's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.decoder_messages import pass_on
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
    """Read labels of times, in the order of the file; a warning says how many points of Praat's are left out.

    Parameters
    ----------
    file : Path
        ``.TextGrid`` is Praat's; a ``.txt`` with Raven's header is Raven's, any other Audacity's.

    Raises
    ------
    TableError
        The file cannot be read, is not of its format, or is Praat's and has labels in point tiers only.
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
    """The labelled intervals of all tiers; points, which have no length, are left out with a warning."""
    tiers = crowsetta_module().formats.seq.TextGrid.from_file(file).tiers
    intervals = [each for tier in tiers for each in getattr(tier, "intervals", ())]
    found = [TimeLabel(i.xmin, i.xmax, i.text.replace('""', '"'), 0) for i in intervals if i.text]
    points = sum(len(tier.points) for tier in tiers if hasattr(tier, "points"))
    if points and not found:
        raise TableError(
            f"{file}: no labelled intervals, only {points} in point tiers, which have no length; mark intervals"
        )
    if points:
        noun = "label in a point tier" if points == 1 else "labels in point tiers"
        pass_on([f"{file}: {points} {noun}, without a length, left out; mark intervals to use them"])
    return found
