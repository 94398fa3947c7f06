"""Images as arrays: every kind reads as RGB, PNGs come back exactly."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from harness import image
from harness.errors import ImageError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (12, 17, 3), np.uint8)
SMOOTH = np.stack(
    np.broadcast_arrays(*(np.linspace(a, b, 48).astype(np.uint8) for a, b in ((0, 255), (200, 20), (90, 90)))), -1
)
SMOOTH = np.ascontiguousarray(np.broadcast_to(SMOOTH, (40, 48, 3)))


CODE = (
    "converter",
    "corpora",
    "evaluator",
    "harness",
    "labeler",
    "merger",
    "trainer",
    "benchmarks",
    "docs",
    "notebooks",
)


def saved(opened: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    opened.save(buffer, kind, **options)
    return buffer.getvalue()


def with_colours(count: int) -> np.ndarray:
    """An image of 60 x 90 that uses exactly `count` colours, in runs as a spectrogram has them."""
    colours = RNG.permutation(1 << 24)[:count]
    packed = np.sort(np.concatenate([colours, RNG.choice(colours, 60 * 90 - count)])).reshape(60, 90)
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], -1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["png", "bmp", "PNG", "Bmp"])
def test_lossless_kinds_read_exactly(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(saved(Image.fromarray(NOISE), kind.upper()))
    got = image.read(path)
    assert got.dtype == np.uint8
    assert np.array_equal(got, NOISE)


@pytest.mark.parametrize(("kind", "near"), [("jpeg", 6), ("gif", 16)])
def test_lossy_kinds_read_nearly(tmp_path: Path, kind: str, near: int) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(saved(Image.fromarray(SMOOTH), kind.upper()))
    got = image.read(path)
    assert got.shape == SMOOTH.shape
    assert np.abs(got.astype(int) - SMOOTH).mean() < near


def test_gray_is_the_same_in_three_channels() -> None:
    gray = NOISE[..., 0]
    assert np.array_equal(image.decode(saved(Image.fromarray(gray))), np.repeat(gray[..., None], 3, -1))


def test_palettes_read_as_their_colours() -> None:
    palette = Image.fromarray(NOISE).quantize(16)
    assert np.array_equal(image.decode(saved(palette)), np.asarray(palette.convert("RGB")))


def test_black_and_white() -> None:
    bits = NOISE[..., 0] > 127
    assert np.array_equal(image.decode(saved(Image.fromarray(bits)))[..., 1], np.where(bits, 255, 0))


def test_cmyk_jpegs_read_as_rgb() -> None:
    data = saved(Image.fromarray(SMOOTH).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(image.decode(data).astype(int) - SMOOTH).mean() < 6


@pytest.mark.parametrize("alpha", [0, 64, 255])
def test_transparency_lies_over_black(alpha: int) -> None:
    over = np.concatenate([NOISE, np.full((*NOISE.shape[:2], 1), alpha, np.uint8)], -1)
    got = image.decode(saved(Image.fromarray(over)))
    assert np.abs(got - NOISE * (alpha / 255)).max() <= 1
    gray_alpha = np.ascontiguousarray(over[..., [0, 3]])
    got = image.decode(saved(Image.fromarray(gray_alpha)))
    assert np.abs(got - NOISE[..., :1] * (alpha / 255)).max() <= 1


def test_a_transparent_colour_is_black() -> None:
    palette = Image.fromarray(NOISE).quantize(16)
    index = np.asarray(palette)[3, 4]
    expected = np.asarray(palette.convert("RGB")).copy()
    expected[np.asarray(palette) == index] = 0
    assert np.array_equal(image.decode(saved(palette, transparency=int(index))), expected)


@pytest.mark.parametrize("top", [65535, 4000, 255])
def test_16_bit_gray_has_its_scale(top: int) -> None:
    """A dark 16-bit image stays dark, however dark it is."""
    wide = np.linspace(0, top, 300).round().astype(np.uint16).reshape(15, 20)
    got = image.decode(saved(Image.fromarray(wide)))
    assert np.array_equal(got, np.repeat(np.rint(wide / 257).astype(np.uint8)[..., None], 3, -1))


@pytest.mark.parametrize("count", [1, 2, 16, 255, 256])
def test_few_colours_make_a_palette_that_reads_back_exactly(count: int) -> None:
    pixels = with_colours(count)
    data = image.encode_png(pixels)
    assert Image.open(io.BytesIO(data)).mode == "P"
    assert np.array_equal(image.decode(data), pixels)
    assert len(data) < len(saved(Image.fromarray(pixels), compress_level=1))


def test_a_palette_has_the_colours_of_the_image_in_ascending_order() -> None:
    """Also where several of them share a place in the hash, as in two of five images with 256 colours."""
    for _ in range(20):
        pixels = with_colours(256)
        palette = Image.open(io.BytesIO(image.encode_png(pixels))).getpalette()
        assert np.array_equal(np.reshape(palette, (-1, 3)), np.unique(pixels.reshape(-1, 3), axis=0))


@pytest.mark.parametrize("count", [257, 300, 5400])
def test_more_colours_stay_rgb(count: int) -> None:
    pixels = with_colours(count)
    data = image.encode_png(pixels)
    assert Image.open(io.BytesIO(data)).mode == "RGB"
    assert np.array_equal(image.decode(data), pixels)


@pytest.mark.parametrize(
    "pixels",
    [
        NOISE,
        np.repeat(NOISE[..., :1], 3, -1),
        np.zeros((1, 1, 3), np.uint8),
        NOISE[::-1, ::2],
        NOISE.transpose(1, 0, 2),
    ],
    ids=["noise", "gray", "one", "strided", "transposed"],
)
def test_every_image_reads_back_exactly(pixels: np.ndarray) -> None:
    assert np.array_equal(image.decode(image.encode_png(pixels)), pixels)


def test_alpha_is_written() -> None:
    pixels = RNG.integers(0, 256, (5, 6, 4), np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(image.encode_png(pixels)))), pixels)


@pytest.mark.parametrize("pixels", [NOISE, SMOOTH, with_colours(200)], ids=["noise", "smooth", "palette"])
def test_the_same_pixels_give_the_same_bytes(pixels: np.ndarray) -> None:
    assert image.encode_png(pixels) == image.encode_png(np.asfortranarray(pixels))


@pytest.mark.parametrize(
    "pixels",
    [NOISE.astype(np.float32), NOISE[..., 0], NOISE[..., :2], np.zeros((0, 4, 3), np.uint8), NOISE[None]],
    ids=["float", "gray", "two channels", "empty", "batch"],
)
def test_what_is_no_image_is_not_written(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected uint8 \(H, W, 3\) or \(H, W, 4\)"):
        image.encode_png(pixels)


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ImageError, match=r"a\.png: No such file"):
        image.read(path)
    for data in (b"", b"RIFF\0\0\0\0WAVE", b"<html>", saved(Image.fromarray(NOISE))[:60]):
        path.write_bytes(data)
        with pytest.raises(ImageError, match=r"a\.png: not an image that can be read"):
            image.read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ImageError, match=r"a\.png: Is a directory"):
        image.read(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
def test_damage_is_an_image_error_or_an_image(kind: str) -> None:
    whole = saved(Image.fromarray(NOISE), kind)
    broken = [whole[:cut] for cut in range(0, len(whole), 7)]
    for at in range(0, len(whole), 3):
        broken.append(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
    refused = 0
    for data in broken:
        try:
            assert image.decode(data).ndim == 3
        except ImageError:
            refused += 1
    assert refused > len(broken) / 20


def test_resize() -> None:
    assert image.resize(NOISE, 12, 17) is NOISE
    got = image.resize(NOISE, 30, 8)
    assert got.shape == (30, 8, 3)
    assert got.dtype == np.uint8
    flat = np.full((9, 9, 3), 77, np.uint8)
    assert (image.resize(flat, 224, 50) == 77).all()


def test_shrinking_averages() -> None:
    checks = np.zeros((64, 64, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    assert np.abs(image.resize(checks, 8, 8).astype(int) - 127).max() <= 4


def test_what_can_be_listed() -> None:
    assert {".jpg", ".jpeg", ".png", ".bmp", ".gif"} <= image.SUFFIXES


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp", "tiff"])
def test_an_image_is_known_by_its_first_bytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "no_ending"
    path.write_bytes(saved(Image.fromarray(SMOOTH), kind.upper()))
    assert image.is_image(path)
    assert image.read(path).shape == SMOOTH.shape


@pytest.mark.parametrize("suffix", [".webp", ".tif", ".TIFF"])
def test_an_image_is_known_by_its_ending(tmp_path: Path, suffix: str) -> None:
    assert image.is_image(tmp_path / f"not_there{suffix}")
    assert suffix.lower() in image.SUFFIXES


@pytest.mark.parametrize("data", [b"", b"RIFF\0\0\0\0WAVEfmt ", b"BM text", b"OggS", b"plain text"])
def test_what_is_no_image_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert not image.is_image(tmp_path / "a")
    assert not image.is_image(tmp_path / "not there")
    with pytest.raises(ImageError, match=r"a: not an image that can be read \(of no kind that is known\)$"):
        image.read(tmp_path / "a")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(x) run\n%%EOF\n"


@pytest.mark.parametrize("kind", ["eps", "ppm", "pcx", "tga", "ico", "sgi", "pdf"])
def test_only_the_formats_of_known_endings_are_opened_whatever_the_name(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An EPS would start Ghostscript, which runs it as a program."""
    started: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *given, **named: started.append(given))
    data = EPS if kind == "eps" else saved(Image.fromarray(NOISE), kind)
    for name in ("a.png", "a.jpg", "a"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=rf"{name}: not an image that can be read \(of no kind that is known\)$"):
            image.read(tmp_path / name)
    assert not started


def test_no_code_opens_images_without_saying_of_which_formats() -> None:
    root = Path(__file__).parents[2]
    for path in (p for folder in CODE for p in (root / folder).rglob("*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert "Image.open(" not in line or "formats=" in line, f"{path}: {line}"
