"""Bytes, damaged by a seeded rule."""

from __future__ import annotations

import random

__all__ = ["damaged"]

_NUMBERS = (0, 1, 7, 0x7F, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_HEADER = 128


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, overwrite the header, cut, empty, fill with zeros, double a part, or put an odd number into it."""
    out = bytearray(data)
    way = rng.choice("flip flip header number number zeros double cut empty".split())
    if not out or way == "empty":
        return b"" if rng.random() < 0.2 else bytes(out[: rng.randrange(1, 9)])
    at = rng.randrange(len(out))
    if way == "flip":
        for _ in range(rng.choice([1, 1, 1, 3, 20])):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif way == "header":
        for _ in range(rng.randint(1, 4)):
            out[rng.randrange(min(_HEADER, len(out)))] = rng.randrange(256)
    elif way == "number":
        at = rng.randrange(min(2 * _HEADER, len(out)))
        out[at : at + 4] = rng.choice(_NUMBERS).to_bytes(4, rng.choice(["little", "big"]))
    elif way == "zeros":
        end = min(len(out), at + rng.randrange(1, 200))
        out[at:end] = bytes(end - at)
    elif way == "double":
        out[at:at] = out[at : at + rng.randrange(1, 500)]
    else:
        del out[at:]
    return bytes(out)
