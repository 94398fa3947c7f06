"""Sliders in a notebook: the eight settings of a settings file, the encoding, and what they make of one sound."""

from __future__ import annotations

import base64
import html
import io
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from converter.drawing import draw
from converter.encodings.logmel import LogMel
from converter.encodings.waveform import Waveform
from converter.registry import ENCODINGS
from converter.settings_file import SETTINGS_KEYS, read_settings, write_settings
from converter.spec import Encoding
from harness import audio
from harness.errors import SettingsError, SoundfoldError
from harness.image import encode_png

try:
    import ipywidgets
except ImportError as error:
    raise ImportError(
        f"the settings panel needs ipywidgets, which cannot be imported ({error}): pip install 'soundfold[notebooks]'"
    ) from error

__all__ = ["SettingsPanel"]

_RANGES: dict[str, tuple[float, float, float]] = {  # smallest, largest, step
    "size": (32, 512, 16),
    "sample_rate": (4000, 48000, 50),
    "n_fft": (128, 8192, 128),
    "n_mels": (8, 256, 8),
    "hop_length": (32, 2048, 32),
    "fmin": (0, 5000, 10),
    "fmax": (100, 11025, 5),
    "power": (0.5, 3, 0.1),
}
_HEARD_S = 30.0  # of a longer sound the player has the beginning
_WAVEFORM: dict[str, Any] = {"size": (120, 300), "foreground": "#22649e", "background": "#ffffff"}
_LABEL = {"description_width": "84px"}
_WIDTH = "268px"  # of each of three columns, which fit next to each other where JupyterLab is 1280 pixels wide


class SettingsPanel:
    """Sliders for the eight settings of a settings file and the encoding; waveform, image and player follow them.

    Show it as the last value of a cell. What is set is `encoding`, for :func:`converter.draw` or a study.

    Parameters
    ----------
    source : path, or array of float, shape (samples,)
        Any sound that :mod:`harness.audio` reads, or mono samples in [-1, 1].
    encoding : Encoding, optional
        Where it begins; settings that have no slider remain as they are there. Default: ``LogMel()``.
    sr : int, optional
        Rate of the samples in Hz; not for a file.
    file : path
        The settings file that the buttons load and save, until another name is typed.

    Raises
    ------
    AudioError
        The sound cannot be read.
    SettingsError
        Samples without their rate, or something that is no encoding.
    """

    def __init__(
        self,
        source: str | Path | np.ndarray,
        encoding: Encoding | None = None,
        *,
        sr: int | None = None,
        file: str | Path = "spectrum.csv",
    ) -> None:
        start = LogMel() if encoding is None else encoding
        self._rate = {} if sr is None else {"sr": sr}
        draw(source, start, **self._rate)  # what is wrong with the sound is said here, with a traceback
        self._source = source
        if sr is None:
            self._y, self._sr = audio.read(str(source))
        else:
            self._y, self._sr = np.asarray(source, np.float32), sr
        self._starts = {start.name: start}
        self._ready = False
        self._drawn: Encoding | None = None
        self._warned: list[str] = []
        self._heard = 0
        self._wanted: dict[str, Any] = {}  # what was set before an encoding refused it
        self._choice = ipywidgets.Dropdown(
            options=_drawable(start), value=start.name, description="encoding", style=_LABEL
        )
        self._sliders = {name: _slider(name) for name in SETTINGS_KEYS.values()}
        self._file = ipywidgets.Text(str(file), description="settings file", style=_LABEL)
        self._load, self._save = (ipywidgets.Button(description=what) for what in ("Load", "Save"))
        self._image, self._waveform = ipywidgets.Image(), ipywidgets.Image()
        self._player, self._status = ipywidgets.Audio(autoplay=False, loop=False), ipywidgets.HTML()
        self._show(_settings_of(start))
        self._redraw()
        self._choice.observe(lambda _: self._choose(), "value")
        for slider in self._sliders.values():
            slider.observe(lambda _: self._moved(), "value")
        self._load.on_click(lambda _: self._tried(self.load))
        self._save.on_click(lambda _: self._tried(self.save))
        self.widget = self._laid_out()
        """The whole panel, an ipywidgets box."""

    @property
    def encoding(self) -> Encoding:
        """The encoding with its settings, as the sliders have them.

        Raises
        ------
        SettingsError
            They contradict each other.
        """
        name = self._choice.value
        cls = ENCODINGS[name] if name in ENCODINGS else type(self._starts[name])
        known = cls.model_fields
        values = dict(self._starts[name]) if name in self._starts else {}
        values |= {key: value for key, value in self.settings.items() if key in known}
        return cls(**values)

    @property
    def settings(self) -> dict[str, Any]:
        """The eight settings by their names in an encoding, as :func:`converter.read_settings` gives them."""
        values: dict[str, Any] = {name: round(slider.value, 6) for name, slider in self._sliders.items()}
        return {**values, "size": (values["size"], values["size"])}

    def load(self, file: str | Path | None = None) -> None:
        """Set the sliders to the settings of a file; default: the one whose name is in the panel.

        Raises
        ------
        SettingsError
            As :func:`converter.read_settings`.
        """
        path = file or self._file.value
        self._show(read_settings(path))
        self._redraw(f"{path} loaded")

    def save(self, file: str | Path | None = None) -> None:
        """Write the eight settings to a file; default: the one whose name is in the panel.

        Raises
        ------
        SettingsError
            They contradict each other, or a file of that name is there that is no settings file.
        """
        path = Path(file or self._file.value)
        if path.exists():
            try:
                read_settings(path)
            except SettingsError as error:
                raise SettingsError(f"{error}; it is not replaced, give another name") from None
        try:
            write_settings(path, self.settings)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror or error}") from error
        self._say(f"{path} saved")

    def _show(self, settings: dict[str, Any]) -> None:
        """Move the sliders, and draw once, later; a value beyond a slider's ends moves the end."""
        values = {**settings, "size": settings["size"][0]}
        self._ready = False
        for name, slider in self._sliders.items():
            value = values[name]
            if name == "fmax":
                slider.max = values["sample_rate"] / 2
                value = value or slider.max
            slider.max, slider.min = max(slider.max, value), min(slider.min, value)
            slider.value = value
        self._ready = True

    def _choose(self) -> None:
        """Draw another encoding; one that refuses the sliders' values begins with its own, but for the size."""
        wanted = self._wanted or self.settings
        self._show(wanted)
        try:
            _ = self.encoding
        except SettingsError as error:
            self._show({**_settings_of(ENCODINGS[self._choice.value]()), "size": wanted["size"]})
            self._wanted = wanted
            self._redraw(f"settings of its own, as it refuses those before ({error})")
        else:
            self._wanted = {}
            self._redraw()

    def _moved(self) -> None:
        """A slider was moved: by a person, what was set before counts no more."""
        if self._ready:
            self._wanted = {}
        self._redraw()

    def _redraw(self, said: str = "") -> None:
        """Draw what the sliders say; what is wrong is said in the panel, and the last image remains."""
        if not self._ready:
            return
        started = time.perf_counter()
        self._sliders["fmax"].max = self._sliders["sample_rate"].value / 2  # lowers its value where it must
        try:
            encoding = self.encoding
            for name, slider in self._sliders.items():
                slider.disabled = name not in type(encoding).model_fields
            if encoding != self._drawn:
                self._draw(encoding)
        except SoundfoldError as error:
            self._say(str(error), wrong=True)
            return
        height, width = encoding.size
        took = f"{width} x {height} pixels in {1000 * (time.perf_counter() - started):.0f} ms"
        self._say("; ".join(filter(None, [said, took, *self._warned])))

    def _draw(self, encoding: Encoding) -> None:
        """Draw one image; what the encoding warns of is said in the panel, not in the page's output."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            self._image.value = encode_png(draw(self._source, encoding, **self._rate))
        self._warned = list(dict.fromkeys(str(each.message) for each in warned))
        self._drawn = encoding
        self._hear(encoding.sample_rate)

    def _hear(self, rate: int) -> None:
        """Bring waveform and player to a rate."""
        if rate == self._heard:
            return
        y = audio.resample(self._y, self._sr, rate)
        self._waveform.value = encode_png(Waveform(**_WAVEFORM, sample_rate=rate).draw(y, sr=rate))
        data = io.BytesIO()
        soundfile.write(data, y[: round(_HEARD_S * rate)], rate, subtype="PCM_16", format="WAV")
        self._player.value = data.getvalue()
        self._heard = rate

    def _tried(self, action: Any) -> None:
        try:
            action()
        except SoundfoldError as error:
            self._say(str(error), wrong=True)

    def _say(self, text: str, *, wrong: bool = False) -> None:
        style = ' style="color:#b00020"' if wrong else ""
        self._status.value = f"<span{style}>{html.escape(text)}</span>"

    def _laid_out(self) -> Any:
        """Sliders, then waveform, player and file, then the image, next to each other."""
        layout = ipywidgets.Layout
        for widget in (self._choice, self._file, self._player, *self._sliders.values()):
            widget.layout = layout(width=_WIDTH)
        for image, height in ((self._waveform, "120px"), (self._image, _WIDTH)):
            image.layout = layout(width=_WIDTH, height=height, border="1px solid #ccc", object_fit="fill")
        self._status.layout = layout(max_width=_WIDTH)
        left = ipywidgets.VBox([self._choice, *self._sliders.values()], layout=layout(flex="0 0 auto"))
        for button in (self._load, self._save):
            button.layout = layout(width="130px")
        files = ipywidgets.VBox([self._file, ipywidgets.HBox([self._load, self._save])])
        middle = ipywidgets.VBox([self._waveform, self._player, files, self._status], layout=layout(flex="0 0 auto"))
        gap = layout(grid_gap="8px", flex_flow="row wrap")
        return ipywidgets.HBox([left, self._image, middle], layout=gap)

    def __repr__(self) -> str:
        return f"SettingsPanel({self._drawn!r})"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget, and for where no widgets are (a page of a repository, say) the image as it is now."""
        shown: dict[str, Any] = self.widget._repr_mimebundle_(**kwargs)
        return {**shown, "text/plain": repr(self), "image/png": base64.b64encode(self._image.value).decode()}


def _drawable(start: Encoding) -> list[str]:
    """The encodings that need no setting to be given."""
    found = []
    for name in ENCODINGS:
        try:
            ENCODINGS[name]()
        except SettingsError:
            continue
        found.append(name)
    return [*found, *([] if start.name in found else [start.name])]


def _settings_of(encoding: Encoding) -> dict[str, Any]:
    """The eight settings of an encoding; what it lacks is as in ``LogMel``, at its rate."""
    values = {**dict(LogMel(sample_rate=encoding.sample_rate)), **dict(encoding)}
    return {name: values[name] for name in SETTINGS_KEYS.values()}


def _slider(name: str) -> Any:
    low, high, step = _RANGES[name]
    kind = ipywidgets.FloatSlider if name in ("fmin", "fmax", "power") else ipywidgets.IntSlider
    form = {"fmin": {"readout_format": ".0f"}, "fmax": {"readout_format": ".0f"}, "power": {"readout_format": ".1f"}}
    return kind(min=low, max=high, step=step, value=low, description=name, style=_LABEL, **form.get(name, {}))
