"""A model folder, loaded and ready to score."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.errors import AudioError, SettingsError
from harness.model import ModelCard, check_files, read_card
from harness.registry import load_plugins
from labeler.card_encodings import check_length, draws_all_channels
from labeler.detecting import Detection
from labeler.live.listening import Heard
from labeler.live.settings import ListenSettings, listen
from labeler.long_sounds import (
    block_seconds,
    length_warning,
    mean_scores,
    score_long_file,
    score_long_samples,
    sound_seconds,
)
from labeler.preprocess import is_sound, prepare_file, prepare_samples
from labeler.scan_result import Scan, scan_one
from labeler.scanning import windows_for
from labeler.scoring import load_scoring
from labeler.signatures import Predict
from labeler.smoothing import Smoothing

__all__ = ["Model", "load_model"]


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A trained model.

    Parameters
    ----------
    card : ModelCard
        What ``model.json`` says.
    predict : callable
        What :mod:`labeler.preprocess` prepared -> class probabilities, of shape (n, classes).
    folder : path
        Where it was loaded from.
    """

    card: ModelCard
    predict: Predict
    folder: Path = Path()

    def __repr__(self) -> str:
        """Classes, what it takes, its module and its folder."""
        classes = ", ".join(self.card.classes)
        return f"<Model of {classes}; takes {self.card.takes}, module {self.card.module['handle']}, in {self.folder}>"

    @property
    def all_channels(self) -> bool:
        """Whether it draws all channels of a sound, not only their mono mix."""
        return draws_all_channels(self.card)

    def label(self, source: str | Path | np.ndarray, *, sr: int | None = None) -> pd.Series:
        """Score one sound or image.

        Parameters
        ----------
        source : path, or ndarray of shape (samples,)
            The file of a sound or an image; or mono samples in [-1, 1]. Of a model that draws all channels also
            (samples, channels).
        sr : int, optional
            Rate of the samples in Hz; not for a file.

        Returns
        -------
        Series of float64, shape (classes,)
            Scores by class, best first; they sum to 1. Its name is ``score``.

        Warns
        -----
        UserWarning
            The sound is more than three times as long as the longest training clip.

        Raises
        ------
        AudioError, ImageError
            The file cannot be read, or the samples are empty or not finite.
        ModuleError
            The model takes no such source, or its card does not say how to draw a sound.
        SettingsError
            Samples without their rate, or of another shape; a file with a rate.
        """
        if isinstance(source, (str, Path)):
            if sr is not None:
                raise SettingsError(f"sr={sr!r}: a file has its own rate; leave it out")
            scores, warning = self._score_file(Path(source).expanduser())
        else:
            scores, warning = self._score_samples(_check_samples(source, sr, self.card), int(sr or 0))
        if warning:
            warnings.warn(warning, stacklevel=2)
        order = np.argsort(-scores, kind="stable")
        return pd.Series(scores[order], index=[self.card.classes[k] for k in order], name="score")

    def scan(
        self, source: str | Path, *, window: float = 0.0, hop: float = 0.0, detection: Detection | None = None
    ) -> Scan:
        """Score a recording of any length window by window, and find the calls in it, in memory for its scores only.

        Parameters
        ----------
        source : path
            A sound; for several, scan each, or all by :func:`labeler.scan_recordings`.
        window, hop : float
            Length of a window, and from the start of one to that of the next, in seconds. Default: the length of
            the longest training clip; the window.
        detection : Detection, optional
            How scores become calls, as ``Detection(threshold=0.7, gap_s=1.0)``.

        Returns
        -------
        Scan
            Its ``scores`` (a row for each window), ``detections`` (a row for each call) and ``calls`` (how many of
            each label) are DataFrames.

        Warns
        -----
        UserWarning
            The recording cannot be read to its end: the windows before that are scanned.

        Raises
        ------
        AudioError
            Nothing of the recording can be read.
        SettingsError
            Not the path of one recording; or as :func:`labeler.scanning.windows_for` and
            :meth:`labeler.detecting.Detection.check`.
        """
        if not isinstance(source, (str, Path)):
            raise SettingsError(
                f"source is of type {type(source).__name__}: expected the path of one recording; scan several one by "
                "one, or with labeler.scan_recordings"
            )
        windows = windows_for(self.card, window=window, hop=hop)
        return scan_one(self, Path(source).expanduser(), windows, detection or Detection())

    def listen(
        self,
        callback: Callable[[Heard], bool | None],
        *,
        seconds: float = 0.0,
        input: str | Path | int = "",
        window: float = 0.0,
        hop: float = 0.0,
        smoothing: Smoothing = "none",
        smoothing_s: float = 0.0,
        rate: int = 0,
        fast: bool = False,
        record: str | Path | None = None,
    ) -> None:
        """Label what the microphone hears, window by window.

        Parameters
        ----------
        callback : callable
            Called with each window (:class:`labeler.live.listening.Heard`) as soon as it is scored; where it gives
            False, listening ends.
        seconds : float
            How much is heard; 0: until the callback gives False, an interruption, or the end of a file.
        input : str, path or int
            A device by its number or part of its name; a sound file; ``-`` for raw PCM on standard input. Default:
            the default microphone.
        window, hop : float
            Length of a window, and from the start of one to that of the next, in seconds. Default: the length of the
            longest training clip; the window, but at most one second.
        smoothing : str
            ``none``, or ``mean``, ``median`` or ``onset`` of the windows so far.
        smoothing_s : float
            Seconds that a mean or a median goes over; 0: three windows.
        rate : int
            In Hz, of a device (default: its own) or of raw PCM.
        fast : bool
            A file as fast as it goes, not in real time.
        record : path, optional
            A ``.wav`` or ``.flac`` file for what is heard.

        Raises
        ------
        AudioError
            No microphone, one that is lost, or a file that cannot be read.
        ModuleError
            The model takes no sound.
        SettingsError
            A value out of range, or an input that is not known.
        """
        settings = ListenSettings(
            input=input, seconds=seconds, window=window, hop=hop, smoothing=smoothing, smoothing_s=smoothing_s,
            rate=rate, fast=fast, record=record,
        )  # fmt: skip
        listen(self, callback, settings)

    def _score_file(self, path: Path) -> tuple[np.ndarray, str]:
        """Score one file, a long sound block by block.

        Returns
        -------
        scores : ndarray of float64, shape (classes,)
        warning : str
            What is to be said of its length; empty where that is usual.
        """
        length = 0.0
        if is_sound(path):
            length = sound_seconds(path)
            check_length(str(path), length, self.card)
        warning = length_warning(str(path), length, self.card)
        block = block_seconds(length, self.card)
        if block:
            return score_long_file(self.scores, path, self.card, block_s=block), warning
        (scores,) = self.scores(prepare_file(path, self.card)[None])
        return scores, warning

    def _score_samples(self, y: np.ndarray, sr: int) -> tuple[np.ndarray, str]:
        check_length("samples", len(y) / sr, self.card)
        warning = length_warning("samples", len(y) / sr, self.card)
        block = block_seconds(len(y) / sr, self.card)
        if block:
            return score_long_samples(self.scores, y, sr, self.card, block_s=block), warning
        (scores,) = self.scores(prepare_samples(y, sr, self.card)[None])
        return scores, warning

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Class probabilities of what :mod:`labeler.preprocess` prepared.

        Parameters
        ----------
        batch : ndarray
            Images, uint8 (n, H, W, 3), of the model's size; or waveforms, float32 (n, samples), at its rate. Of a
            model that was trained on tiles also sounds with all of theirs, uint8 (n, tiles, H, W, 3).

        Returns
        -------
        ndarray of float64, shape (n, classes)
            In the order of ``card.classes``; the same whatever else is in the batch. Of tiles: their geometric mean,
            scaled to sum to 1.
        """
        if not self._has_tiles(batch):
            return self.predict(batch)
        scores = self.predict(batch.reshape(-1, *batch.shape[2:]))
        return mean_scores(scores.reshape(*batch.shape[:2], -1))

    def _has_tiles(self, batch: np.ndarray) -> bool:
        """Whether a batch is of sounds with their tiles: images (n, tiles, H, W, 3), or records (n, tiles)."""
        return batch.ndim == (2 if self.card.members else 5)

    def single(self, examples: np.ndarray) -> Predict:
        """How the model scores one item after the other, for where each is waited for.

        Parameters
        ----------
        examples : ndarray
            Some that are like those to come, as :mod:`labeler.preprocess` prepared them, of one shape.

        Returns
        -------
        callable
            As :meth:`scores`, of batches of one item of that shape; compiled for it, and called before.
        """
        if self._has_tiles(examples):
            single = self.single(examples[:, 0])
            return lambda batch: mean_scores(np.stack([single(tile[None]) for tile in batch[0]], axis=1))
        make: Callable[[np.ndarray], Predict] | None = getattr(self.predict, "single", None)
        if make is None:
            self.scores(examples[:1])
            return self.scores
        return make(examples)


def load_model(folder: str | Path, *, plugins: Iterable[str | Path] = ()) -> Model:
    """Load a model folder.

    Parameters
    ----------
    folder : path
    plugins : iterable of path
        Python files with the encodings or merge methods of one's own that the model's images were made with.

    Raises
    ------
    ModuleError
        No model there, one that is damaged, or one that cannot be loaded.
    SettingsError
        A plugin that cannot be loaded.
    """
    load_plugins(plugins)
    card = read_card(folder)
    check_files(folder, card)
    predict = load_scoring(Path(folder), card)
    return Model(card, predict, Path(folder))


def _check_samples(y: np.ndarray, sr: int | None, card: ModelCard) -> np.ndarray:
    y = np.asarray(y)
    if sr is None:
        raise SettingsError("sr is missing: samples need their rate in Hz, label(y, sr=22050)")
    if sr < 1:
        raise SettingsError(f"sr={sr!r}: must be a positive integer, the rate of the samples in Hz")
    several = y.ndim == 2 and y.shape[1] <= len(y) and draws_all_channels(card)
    if not (y.ndim == 1 or several) or y.dtype.kind != "f":
        shapes = "(samples,) or (samples, channels)" if draws_all_channels(card) else "(samples,)"
        raise SettingsError(f"samples of shape {y.shape} and dtype {y.dtype}: expected floats of shape {shapes}")
    if not y.size or not np.isfinite(y).all():
        raise AudioError("samples: expected at least one, all finite")
    return np.ascontiguousarray(y, dtype=np.float32)
