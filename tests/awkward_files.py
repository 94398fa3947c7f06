"""Sound files of every kind that libsndfile and FFmpeg write here, and broken ones."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import soundfile

TONE = (0.3 * np.sin(np.arange(4800) / 5)).astype(np.float32)
RATES = {
    "WVE": 8000,
    "GSM610": 8000,
    "NMS_ADPCM_16": 16000,
    "NMS_ADPCM_24": 16000,
    "NMS_ADPCM_32": 16000,
    "OPUS": 48000,
}
CONTAINERS = (
    "m4a:ipod:aac mp4:mp4:aac mov:mov:alac mov:mov:pcm_s16le aac:adts:aac webm:webm:libopus mkv:matroska:flac "
    "mkv:matroska:aac avi:avi:pcm_s16le avi:avi:mp3 ac3:ac3:ac3 eac3:eac3:eac3 flv:flv:aac ts:mpegts:aac mpg:mpeg:mp2 "
    "mp3:mp3:libmp3lame tta:tta:tta wv:wv:wavpack caf:caf:alac oga:ogg:flac nut:nut:aac wav:wav:adpcm_ms "
    "wav:wav:adpcm_ima_wav wav:wav:pcm_alaw w64:w64:pcm_s24le au:au:pcm_s16be aiff:aiff:pcm_s16be sox:sox:pcm_s32le "
    "voc:voc:pcm_u8 3gp:3gp:aac opus:ogg:libopus wma:asf:wmav2"
).split()
CUT_AT = (1, 4, 12, 30, 43, 44, 46, 100, 0.1, 0.5, 0.9, -1)


def by_libsndfile() -> Iterator[tuple[str, bytes]]:
    """A file of each format and subtype that libsndfile writes."""
    for format in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(format):
            rate = RATES.get(subtype, RATES.get(format, 44100))
            name, data = f"{format}_{subtype}.{format.lower()}", io.BytesIO()
            if format == "RAW":  # no header says how to read it
                continue
            try:
                if format == "SD2":  # without a name it writes its other half to ._ in the working directory
                    with TemporaryDirectory() as folder:
                        soundfile.write(f"{folder}/{name}", TONE, rate, subtype=subtype, format=format)
                        data.write(Path(folder, name).read_bytes())
                else:
                    soundfile.write(data, TONE, rate, subtype=subtype, format=format)
            except (soundfile.LibsndfileError, ValueError, TypeError):  # it reads that only
                continue
            yield name, data.getvalue()


def by_ffmpeg() -> Iterator[tuple[str, bytes]]:
    """A file of each container and codec that FFmpeg writes here."""
    for each in CONTAINERS:
        suffix, container, codec = each.split(":")
        data = io.BytesIO()
        try:
            with av.open(data, "w", format=container) as out:
                stream = out.add_stream(codec, rate=48000, layout="mono")
                frame = av.AudioFrame.from_ndarray(TONE[None], format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 48000, 0
                own = stream.codec_context
                to_own = av.AudioResampler(own.format, "mono", 48000, frame_size=own.frame_size or 0)
                for part in [*to_own.resample(frame), *to_own.resample(None), None]:
                    out.mux(stream.encode(part))
        except (av.FFmpegError, ValueError):  # not in this build
            continue
        yield f"{container}_{codec}.{suffix}", data.getvalue()


def wav(y: np.ndarray, rate: int, subtype: str = "FLOAT") -> bytes:
    data = io.BytesIO()
    soundfile.write(data, y, rate, subtype=subtype, format="WAV")
    return data.getvalue()


def whole_files() -> dict[str, bytes]:
    """Files that can be drawn."""
    files = dict([*by_libsndfile(), *by_ffmpeg()])
    for rate in (8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000):
        files[f"rate_{rate}.wav"] = wav(TONE, rate)
    for channels in (2, 3, 6, 8):
        files[f"channels_{channels}.wav"] = wav(np.stack([TONE] * channels, axis=1), 44100)
    files["inverted.wav"] = wav(np.stack([TONE, -TONE], axis=1), 44100)
    files["silence.wav"] = wav(0 * TONE, 44100)
    files["one_sample.wav"] = wav(TONE[3:4], 44100)
    files["dc.wav"] = wav(0 * TONE + 0.5, 44100)
    files["clipped.wav"] = wav(np.clip(9 * TONE, -1, 1), 44100, "PCM_16")
    files["flac_named.wav"] = files["FLAC_PCM_16.flac"]
    files["wav_named.mp3"] = files["rate_8000.wav"]
    return files


def broken_files(whole: dict[str, bytes]) -> dict[str, bytes]:
    """Files that cannot be drawn."""
    files = {
        "empty.wav": b"",
        "empty.mp3": b"",
        "text.wav": b"This is not a sound.\n" * 100,
        "text.mp3": b"This is not a sound.\n" * 100,
        "playlist.wav": b"#EXTM3U\nother.wav\n",
        "zeros.flac": bytes(5000),
        "noise.ogg": np.random.default_rng(0).bytes(5000),
        "no_samples.wav": wav(TONE[:0], 44100),
    }
    for name, value in (("nan", np.nan), ("infinity", np.inf), ("huge", 1e30)):
        y = TONE.copy()
        y[1000] = value
        files[f"{name}.wav"] = wav(y, 44100)
    return files


def cut_files(whole: dict[str, bytes]) -> dict[str, bytes]:
    """Beginnings of files, from the first byte to the last but one."""
    names = ["WAV_PCM_16.wav", "FLAC_PCM_16.flac", "OGG_VORBIS.ogg", "MP3_MPEG_LAYER_III.mp3", "ipod_aac.m4a"]
    names += ["AIFF_PCM_24.aiff", "adts_aac.aac", "matroska_flac.mkv", "CAF_ALAC_16.caf"]
    files = {}
    for name in names:
        data = whole[name]
        for place in CUT_AT:
            end = len(data) - 1 if place == -1 else int(place * len(data)) if place < 1 else int(place)
            files[f"cut_at_{end}_{name}"] = data[:end]
    return files


def write_all(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
