"""Images as arrays: uint8 (H, W, 3), row 0 at the top.

PNGs with up to 256 colours are written with a palette, several times faster than as RGB, and read back the
same. Any gray, palette, RGBA or 16-bit image reads as RGB; transparency is laid over black.
"""

from __future__ import annotations

import io
import math
import re
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from harness.errors import ImageError
from harness.files import digest_bytes, open_regular

if TYPE_CHECKING:  # how files are remembered changes no sound and no image
    from harness.digests import FileDigests

__all__ = [
    "MOST_PIXELS",
    "SUFFIXES",
    "decode",
    "digest_of",
    "encode_png",
    "encode_shades",
    "is_image",
    "read",
    "read_bytes",
    "resize",
]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"})
_FIRST_BYTES = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|BM.{4}\0\0\0\0|RIFF.{4}WEBP|II\*\0|MM\0\*", re.DOTALL)
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF")  # Pillow's others can start programs (EPS: Ghostscript)
_MAX_COLOURS = 256
_TRIES = 64
_FACTOR = 0x9E3779B1
_NO_COLOUR = np.uint32(0xFFFFFFFF)
MOST_PIXELS = 100_000_000
"""In an image that is read."""
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # that many are refused by a name


def read(path: str | Path, *, digest: str = "") -> np.ndarray:
    """Read an image; `digest` as for :func:`read_bytes`.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Raises
    ------
    ImageError
        No such file, or not an image, or not the one of this digest.
    """
    return decode(read_bytes(path, digest=digest), name=str(path))


def read_bytes(path: str | Path, *, digest: str = "") -> bytes:
    """The bytes of an image file.

    Parameters
    ----------
    path : path
    digest : str
        The sha256 that they must have, 64 hex digits, as found before; empty: any.

    Raises
    ------
    ImageError
        The file cannot be read, or has changed since its digest was found.
    """
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error
    if digest and digest_bytes(data) != digest:
        raise ImageError(f"{path}: changed while it was in use; run the same command again")
    return data


def digest_of(path: str | Path, digests: FileDigests) -> str:
    """sha256 of an image file's bytes, 64 hex digits; a file that `digests` knows is not read.

    Raises
    ------
    ImageError
        The file cannot be read.
    """
    try:
        return digests.of(path)
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror or error}") from error


def is_image(path: str | Path) -> bool:
    """Whether a file's ending, or else its first bytes, are those of an image."""
    if Path(path).suffix.lower() in SUFFIXES:
        return True
    try:
        with open(path, "rb", buffering=0) as file:
            return _FIRST_BYTES.match(file.read(16)) is not None
    except OSError:
        return False


def decode(data: bytes, *, name: str = "image") -> np.ndarray:
    """Decode an image file's bytes; `name` is what an error calls it.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            if math.prod(opened.size) > MOST_PIXELS:
                raise ImageError(f"{name}: has {opened.width}x{opened.height} pixels, expected {MOST_PIXELS:,} at most")
            opened.load()
            return np.asarray(_as_rgb(opened))
    except ImageError:
        raise
    except UnidentifiedImageError as error:  # Pillow would name the buffer
        raise ImageError(f"{name}: not an image that can be read (of no kind that is known)") from error
    except Exception as error:  # at damaged files Pillow raises what it likes
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageError(f"{name}: not an image that can be read ({reason})") from error


def _as_rgb(opened: Image.Image) -> Image.Image:
    if opened.mode.startswith(("I", "F")):  # 16-bit gray, which Pillow's convert would clip to white
        wide = np.asarray(opened, dtype=np.float64)
        if opened.mode.startswith("I;16") or opened.format == "PNG" or wide.max(initial=0) > 255:
            wide = wide / 257.0
        return Image.fromarray(np.clip(np.rint(wide), 0, 255).astype(np.uint8), mode=None).convert("RGB")
    if opened.mode in {"RGBA", "LA", "PA"} or "transparency" in opened.info:
        layered = Image.new("RGBA", opened.size, (0, 0, 0, 255))
        layered.alpha_composite(opened.convert("RGBA"))
        return layered.convert("RGB")
    return opened.convert("RGB")


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG bytes of an image; the same pixels give the same bytes.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3) or (H, W, 4)
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
        raise ImageError(f"pixels {pixels.dtype} {pixels.shape}: expected uint8 (H, W, 3) or (H, W, 4)")
    return _png(_palette_image(pixels))


def encode_shades(shades: np.ndarray, colours: np.ndarray) -> bytes:
    """PNG bytes of an image given by the numbers of its colours: those that :func:`encode_png` gives for its pixels.

    Parameters
    ----------
    shades : ndarray of uint8, shape (H, W)
    colours : ndarray of uint8, shape (256, 3)
    """
    used = np.zeros(_MAX_COLOURS, bool)
    used[shades] = True
    red, green, blue = colours[used].T.astype(np.uint32)
    if (red == green).all() and (red == blue).all():
        return _png(_gray_image(colours[:, 0].take(shades)))
    found, places = np.unique(red << 16 | green << 8 | blue, return_inverse=True)
    numbers = np.zeros(_MAX_COLOURS, np.uint8)
    numbers[used] = places
    return _png(_colour_image(found, numbers.take(shades)))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def _palette_image(pixels: np.ndarray) -> Image.Image:
    if pixels.shape[2] == 4:
        return Image.fromarray(pixels)
    red, green, blue = (pixels[..., c] for c in range(3))
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return _gray_image(np.ascontiguousarray(red))
    found = _few_colours(pixels)
    return Image.fromarray(np.ascontiguousarray(pixels)) if found is None else _colour_image(*found)


def _gray_image(values: np.ndarray) -> Image.Image:
    gray = Image.fromarray(values)
    gray.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())  # without one, rows are filtered first
    return gray


def _colour_image(colours: np.ndarray, numbers: np.ndarray) -> Image.Image:
    """An image of colours (red << 16 | green << 8 | blue), from the number of each pixel's, uint8 (H, W)."""
    image = Image.fromarray(numbers)
    image.putpalette(np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], axis=1).astype(np.uint8).tobytes())
    return image


def _few_colours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The colours of an image in ascending order, as red << 16 | green << 8 | blue, and the number of each pixel's.

    None where there are more than 256. Colours are found, and their numbers looked up, by a hash: four times faster
    than by sorting pixels.
    """
    packed = _packed(pixels)
    places = _hashed(packed, _FACTOR)
    seen = np.full(1 << 16, _NO_COLOUR)
    seen[places] = packed
    colours = seen[seen != _NO_COLOUR]
    if len(colours) > _MAX_COLOURS:
        return None
    colours = np.unique(np.concatenate([colours, packed[seen.take(places) != packed]]))  # where two share a place
    if len(colours) > _MAX_COLOURS:
        return None
    for factor in range(_FACTOR, _FACTOR + 2 * _TRIES, 2):  # until no two of the colours share one
        own = _hashed(colours, factor)
        numbers = np.zeros(1 << 16, np.uint8)
        numbers[own] = np.arange(len(colours))
        if (numbers[own] == np.arange(len(colours))).all():
            places = places if factor == _FACTOR else _hashed(packed, factor)
            return colours, numbers.take(places).reshape(pixels.shape[:2])
    return colours, np.searchsorted(colours, packed).astype(np.uint8).reshape(pixels.shape[:2])


def _packed(pixels: np.ndarray) -> np.ndarray:
    """Colours of pixels (H, W, 3) as uint32 (H * W,): four bytes from every third one, of which the last is dropped."""
    data = np.zeros(pixels.size + 1, np.uint8)
    data[1:] = pixels.reshape(-1)
    count = pixels.shape[0] * pixels.shape[1]
    found: np.ndarray = np.ndarray(count, ">u4", data, strides=(3,)).astype(np.uint32)
    found &= np.uint32(0xFFFFFF)
    return found


def _hashed(colours: np.ndarray, factor: int) -> np.ndarray:
    return ((colours * np.uint32(factor)) >> np.uint32(16)).astype(np.intp)


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image with Pillow's bilinear filter (which averages when it shrinks).

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
    height, width : int
        In pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The same array where the size is right already.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
