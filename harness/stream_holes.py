"""Where an Ogg or an MP3 has lost a part of itself: its decoder goes on behind the hole, and all later times are wrong.

Ogg has numbered pages with checksums (RFC 3533). An MP3 is a chain of frames, each of which says where the next one
begins (ISO/IEC 11172-3, 13818-3); what is no frame may also be something that was put in, so that an MP3 which counts
its frames, and has all of them, is whole.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, NamedTuple

__all__ = ["first_hole", "skip_tag"]

_PAGE = struct.Struct("<4sBBqIIIB")
_REVERSED = bytes(int(f"{k:08b}"[::-1], 2) for k in range(256))
_NO_CRC = bytes(4)
_FIRST_PAGE = 2  # a flag
_KBITS = {  # of layer III by MPEG version
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_TAGS = (b"TAG", b"APE", b"LYR", b"3DI")
_SEARCHED = 1 << 16  # bytes at a time


def first_hole(file: IO[bytes], form: str) -> float | None:
    """Seconds before the first hole of a stream.

    Parameters
    ----------
    file : binary file
        At its beginning.
    form : str
        As libsndfile names it: ``OGG`` or ``MP3``; others have no holes that show.

    Returns
    -------
    float or None
        None where nothing is missing between the first and the last page or frame, or where that cannot be known.
        A file that merely ends too soon has no hole.
    """
    if form == "OGG":
        return _ogg_hole(file)
    return _mp3_hole(file) if form == "MP3" else None


class _Stream(NamedTuple):
    """A logical stream of an Ogg: samples a second, samples before the first that is heard, number of the last page."""

    rate: int
    skipped: int
    page: int


def _ogg_hole(file: IO[bytes]) -> float | None:
    streams: dict[int, _Stream] = {}
    before = heard = 0.0  # seconds of the streams before this one, and up to here
    while len(head := file.read(_PAGE.size)) == _PAGE.size:
        mark, _, flags, samples, serial, number, checksum, count = _PAGE.unpack(head)
        sizes = file.read(count)
        body = file.read(sum(sizes))
        if mark == b"OggS" and len(body) < sum(sizes):
            return None  # cut short, which is another matter
        if mark != b"OggS" or _ogg_checksum(head[:22] + _NO_CRC + head[26:] + sizes + body) != checksum:
            return heard
        if flags & _FIRST_PAGE:
            before = heard
            rate, skipped = _ogg_rate(body)
            streams[serial] = _Stream(rate, skipped, number)
            continue
        stream = streams.get(serial)
        if stream is None or not stream.rate:
            return None  # video, or a codec whose times are not known here
        if number != stream.page + 1:
            return heard
        streams[serial] = stream._replace(page=number)
        if samples > 0:
            heard = before + max(0, samples - stream.skipped) / stream.rate
    return None


def _ogg_rate(body: bytes) -> tuple[int, int]:
    """Samples a second that pages count, and how many of the first are not heard; 0 where it is not known."""
    if body.startswith(b"\x01vorbis") and len(body) >= 16:
        return int.from_bytes(body[12:16], "little"), 0
    if body.startswith(b"OpusHead") and len(body) >= 12:
        return 48000, int.from_bytes(body[10:12], "little")
    return 0, 0


def _ogg_checksum(page: bytes) -> int:
    """Of polynomial 04c11db7 from the highest bit on: zlib's with all bits the other way round."""
    reflected = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def _mp3_hole(file: IO[bytes]) -> float | None:
    frames, seconds, hole, promised = 0, 0.0, None, 0
    skip_tag(file)
    while len(head := file.read(4)) == 4:
        size, duration = _frame(head)
        if not size:
            file.seek(-4, 1)
            if head[:3] == b"ID3" and skip_tag(file):
                continue
            if head[:3] in _TAGS or not _seek_frame(file):
                break
            if frames and hole is None:
                hole = seconds
            continue
        body = file.read(size - 4)
        if not frames and not promised and (body.find(b"Xing", 0, 40) >= 0 or body.find(b"Info", 0, 40) >= 0):
            promised = _promised_frames(body)
            continue
        frames, seconds = frames + 1, seconds + duration
    return None if promised and frames >= promised else hole


def _frame(head: bytes) -> tuple[int, float]:
    """Bytes and seconds of a frame of layer III by its header; 0 where it is none, or of a free format."""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, kbits = head[2] >> 2 & 3, head[2] >> 4
    if head[0] != 0xFF or head[1] < 0xE0 or version == 1 or layer != 1 or rate == 3 or kbits in (0, 15):
        return 0, 0.0
    hertz = _RATES[version][rate]
    per_kbit, samples = (144000, 1152) if version == 3 else (72000, 576)
    return per_kbit * _KBITS[3 if version == 3 else 2][kbits] // hertz + (head[2] >> 1 & 1), samples / hertz


def _seek_frame(file: IO[bytes]) -> bool:
    """Go to the next frame that another one follows, or the end; False where there is none."""
    file.seek(1, 1)
    start = file.tell()
    while block := file.read(_SEARCHED):
        at = block.find(b"\xff")
        while 0 <= at < len(block) - 4:
            size, _ = _frame(block[at : at + 4])
            if size:
                file.seek(start + at + size)
                after = file.read(4)
                if len(after) < 4 or _frame(after)[0]:
                    file.seek(start + at)
                    return True
            at = block.find(b"\xff", at + 1)
        if len(block) < _SEARCHED:
            return False
        start += len(block) - 4
        file.seek(start)
    return False


def skip_tag(file: IO[bytes]) -> bool:
    """Pass over an ID3 tag at the place where a file is; False, and no step, where there is none."""
    start = file.tell()
    head = file.read(10)
    if not head.startswith(b"ID3") or len(head) < 10:
        file.seek(start)
        return False
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    file.seek(start + 10 + size)
    return True


def _promised_frames(body: bytes) -> int:
    """How many frames follow, as the first one says; 0 where it does not."""
    at = max(body.find(b"Xing", 0, 40), body.find(b"Info", 0, 40))
    flags, count = body[at + 4 : at + 8], body[at + 8 : at + 12]
    return int.from_bytes(count, "big") if flags and flags[3] & 1 else 0
