"""What the header of a sound file promises, and whether it is there.

A file is cut short where it holds less than its own header promises: the size of a WAV's data, the samples of a FLAC
or a SPHERE, the frames that an MP3's Info tag counts, the pages of an Ogg, the duration of an MP4. What promises
nothing, such as an MP3 without that tag or a WAV that was written to a pipe, is as long as it is.
"""

from __future__ import annotations

import os
import re

import soundfile

from harness.errors import AudioError
from harness.sound_source import SoundSource, open_source, source_size
from harness.stream_holes import skip_tag

__all__ = [
    "ADVICE",
    "UNKNOWN_FRAMES",
    "check_last_page",
    "check_whole",
    "has_info_tag",
    "header_rate",
    "promised_frames",
]

UNKNOWN_FRAMES = 1 << 62
"""And more: a FLAC that does not count its samples."""
ADVICE = "fetch it again, or write what is there to a new file"
"""What to do about a file that is cut short."""

_RATES_HZ = (100, 1_000_000)
_MISSING_S = {False: 0.01, True: 0.1}  # what may be missing, in seconds: of PCM, of lossy formats
_MISSING_SHARE = 0.01  # of what a lossy file promises
_UNKNOWN_SIZES = (range(0x7FFF0000, 0x100000000), range(2**62, 2**64))  # written where the length was not known yet
_LENGTHS = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
_WITH_LENGTHS = frozenset({"WAV", "WAVEX", "AIFF", "AU", "CAF", "W64", "RF64"})
_SAMPLE_COUNT = re.compile(rb"\nsample_count -i (\d{1,15})\s")
_NIST_HEAD = 1024  # bytes, the usual header of NIST's SPHERE
_FRAME_HEAD = 256  # bytes in which an MP3's Info tag begins
_OGG_TAIL = 1 << 16  # bytes; a page has fewer


def header_rate(path: SoundSource, given: float) -> int:
    """The rate that a header says, in Hz."""
    lowest, highest = _RATES_HZ
    if not lowest <= given <= highest:
        raise AudioError(f"{path}: its header says {given:,} Hz, expected {lowest} to {highest:,}; is it damaged?")
    return int(given)


def promised_frames(file: soundfile.SoundFile, path: SoundSource, head: bytes) -> int:
    """Samples of each channel that the header promises; those that are there, where it promises nothing."""
    frames = int(file.frames)
    if frames >= UNKNOWN_FRAMES:
        raise RuntimeError("it does not count its samples")  # libsndfile cannot read it to its end; FFmpeg can
    if file.format in _WITH_LENGTHS:
        if head[36:40] == b"data" and int.from_bytes(head[40:44], "little") <= source_size(path) - 44:
            return frames  # the usual WAV, all there
        for promised, there in ((int(a), int(b)) for a, b in _LENGTHS.findall(file.extra_info)):
            if promised > there > 0 and not any(promised in sizes for sizes in _UNKNOWN_SIZES):
                return round(frames * promised / there)
    elif file.format == "MP3":
        return frames if has_info_tag(path) else 0
    elif file.format == "NIST":
        counted = _SAMPLE_COUNT.search(_first(path, _NIST_HEAD))
        return max(frames, int(counted[1])) if counted else frames
    return frames


def _first(path: SoundSource, size: int) -> bytes:
    with open_source(path) as file:
        return file.read(size)


def has_info_tag(path: SoundSource) -> bool:
    """Whether an MP3 counts its frames, in the tag ``Xing`` or ``Info`` of its first frame."""
    with open_source(path) as file:
        skip_tag(file)
        start = file.read(_FRAME_HEAD)
    return b"Xing" in start or b"Info" in start


def check_last_page(path: SoundSource) -> None:
    """Refuse an Ogg whose last page is not there as a whole."""
    with open_source(path) as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - _OGG_TAIL))
        tail = file.read()
    page = tail.rfind(b"OggS")
    if page < 0:
        return
    lengths = tail[page + 27 : page + 27 + tail[page + 26]] if len(tail) > page + 26 else b""
    whole = len(tail) > page + 26 and len(lengths) == tail[page + 26]
    if not whole or page + 27 + len(lengths) + sum(lengths) > len(tail):
        raise AudioError(f"{path}: cut short: its last page is incomplete; {ADVICE}")


def check_whole(path: SoundSource, promised_s: float, there_s: float, wanted_s: float, *, lossy: bool) -> None:
    """Refuse a sound of which less is there than was promised and is wanted, all in seconds."""
    allowed = max(_MISSING_S[lossy], _MISSING_SHARE * promised_s if lossy else 0.0)
    if wanted_s - there_s > allowed:
        raise AudioError(
            f"{path}: cut short: its header promises {promised_s:.2f} s, {there_s:.2f} s are there; {ADVICE}"
        )
