"""Sounds by FFmpeg, for the formats that libsndfile lacks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from harness.decoder_messages import FfmpegMessages, import_av, pass_on
from harness.errors import AudioError
from harness.promised_length import check_whole, has_info_tag, header_rate
from harness.sound_source import SoundSource, open_source

__all__ = ["ffmpeg_blocks", "ffmpeg_header"]

_WITH_DURATION = re.compile(r"mov|mp4|matroska|asf|flac")  # containers whose header has the duration
_ONE_FILE = {  # containers whose demuxer reads one file: not lists of others, as concat, hls, dash, sdp
    "format_whitelist": "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,iff,ircam,loas,matroska,mov,mp3,mpc,"
    "mpc8,mpeg,mpegts,nistsphere,nut,ogg,oma,rm,shn,sox,tak,truehd,tta,voc,w64,wav,wtv,wv,xwma",
    "protocol_whitelist": "none",
}


def ffmpeg_header(path: SoundSource) -> tuple[float, int]:
    """Length of a sound in seconds and its rate in Hz as its header says; 0 for what it does not say."""
    av = import_av()
    try:
        with _opened(path, FfmpegMessages(str(path))) as container:
            if not container.streams.audio:
                return 0.0, 0
            stream = container.streams.audio[0]
            return _header_seconds(container, stream), int(getattr(stream.codec_context, "sample_rate", 0) or 0)
    except (av.FFmpegError, ValueError, OSError):
        return 0.0, 0


def _header_seconds(container: Any, stream: Any) -> float:
    """What the header says of the duration in seconds, or 0."""
    if not _WITH_DURATION.search(container.format.name):
        return 0.0
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return float(container.duration or 0) / 1e6


@contextmanager
def _opened(path: SoundSource, messages: FfmpegMessages) -> Iterator[Any]:
    """The file opened by FFmpeg, which is given its bytes and may open nothing else: no digest covers other files."""
    av = import_av()
    with ExitStack() as stack:
        file = stack.enter_context(open_source(path))
        with messages.heard():
            container = stack.enter_context(av.open(file, container_options=_ONE_FILE))
        yield container


def ffmpeg_blocks(path: SoundSource, reason: str, end_s: float) -> Iterator[tuple[np.ndarray, int]]:
    """Decode the first audio stream with FFmpeg, (samples, channels); `reason` is what libsndfile said."""
    av = import_av()
    there, messages = 0, FfmpegMessages(str(path))
    try:
        with _opened(path, messages) as container:
            if not container.streams.audio:
                raise AudioError(f"{path}: has no sound in it")
            stream = container.streams.audio[0]
            if (streams := len(container.streams.audio)) > 1:
                pass_on([f"{path}: has {streams} audio streams, of which the first is taken"])
            if stream.codec_context is None:
                raise AudioError(f"{path}: not a sound that can be read (its codec is not known)")
            sr = header_rate(path, stream.codec_context.sample_rate)
            counted = container.format.name == "mp3" and has_info_tag(path)
            promised_s = float(stream.duration * stream.time_base) if counted else _header_seconds(container, stream)
            for y in _decoded(container, stream, sr, messages):
                there += len(y)
                yield y, sr
    except (av.FFmpegError, ValueError, OSError) as error:
        raise AudioError(f"{path}: not a sound that can be read ({reason}); is it cut short or misnamed?") from error
    if not there:
        yield np.zeros(0, np.float32), sr
    wanted_s = promised_s if math.isnan(end_s) else min(end_s, promised_s)
    check_whole(path, promised_s, there / sr, wanted_s, lossy=True)
    messages.say()


def _decoded(container: Any, stream: Any, sr: int, messages: FfmpegMessages) -> Iterator[np.ndarray]:
    """Blocks of samples, float32 of shape (samples, channels)."""
    av = import_av()
    to_float = av.AudioResampler(format="fltp", rate=sr)  # every channel: FFmpeg's own mono is 3 dB louder
    frames, frame = container.decode(stream), object()
    while frame is not None:
        with messages.heard():
            frame = next(frames, None)
            blocks = to_float.resample(frame)
        for block in blocks:
            # of more than 8 channels PyAV counts planes beyond the last, whose memory is not theirs: none of its arrays
            planes = block.planes[: block.layout.nb_channels]
            yield np.stack([np.frombuffer(plane, np.float32, block.samples) for plane in planes], axis=1)
