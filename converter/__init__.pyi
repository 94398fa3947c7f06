from .drawing import draw as draw
from .encodings.gray import Gray as Gray
from .encodings.linear import Linear as Linear
from .encodings.logmel import LogMel as LogMel
from .encodings.mel_power import MelPower as MelPower
from .encodings.waveform import Waveform as Waveform
from .pipeline import convert_clips as convert_clips
from .pipeline import count_stored as count_stored
from .pipeline import read_clips as read_clips
from .registry import ENCODINGS as ENCODINGS
from .registry import encoding_from_json as encoding_from_json
from .selection import encodings_from_options as encodings_from_options
from .selection import encodings_from_study as encodings_from_study
from .selection import preset_encodings as preset_encodings
from .sound import Sound as Sound
from .spec import Encoding as Encoding
from .spectrogram import ColourSpectrogram as ColourSpectrogram
from .spectrogram import DecibelSpectrogram as DecibelSpectrogram
from .spectrogram import MelSpectrogram as MelSpectrogram
from .spectrogram import Spectrogram as Spectrogram
from .spectrogram import level as level

__all__ = [
    "ENCODINGS",
    "ColourSpectrogram",
    "DecibelSpectrogram",
    "Encoding",
    "Gray",
    "Linear",
    "LogMel",
    "MelPower",
    "MelSpectrogram",
    "Sound",
    "Spectrogram",
    "Waveform",
    "convert_clips",
    "count_stored",
    "draw",
    "encoding_from_json",
    "encodings_from_options",
    "encodings_from_study",
    "level",
    "preset_encodings",
    "read_clips",
]
