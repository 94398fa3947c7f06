"""The scattering of `scattering`, compiled for the processor: equal within 3e-5, in three fifths of the time.

TensorFlow's convolution multiplies each pixel by each number of each kernel. These kernels are known beforehand:

- A wavelet at angle -t is the one at angle t upside down, and its real part is even under a half turn, its imaginary
  part odd. So both angles are made of four parts, each even or odd in frequency and in time: an even one is multiplied
  by the sum of what lies on both sides of the middle, an odd one by the difference. A quarter of the multiplications.
- Four kernels at once take the same sums and differences, whose loading would take longer than multiplying.
- Only every `step`-th row and column has a result. Columns are dealt out into `step` lanes, so that what one number of
  a kernel is multiplied by is contiguous in memory; rows of small maps are joined to a long one.
- Modulus and pooling follow while the maps are in the cache. A channel is one call: between calls a thread would wait
  for Python's lock.

numba compiles the loops when they are first called, which takes half a minute, and caches them on disk. All are
inlined: a function that is compiled alone rounds otherwise than one that is compiled with its caller, and which of the
two is called depends on whether this process has compiled it or loaded it. They are in one file because numba takes a
cached function for current while that function's own file has not changed, whatever it calls.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from harness.hub.scattering import DEFAULT, ScatteringSpec, feature_count, step_of, wavelets

__all__ = ["TAPS", "scatter"]

TAPS = 11  # kernel sizes are compiled: the loops over a kernel's row are unrolled
_HALF = TAPS // 2
_LONG = 288  # columns: rows of small images are joined up to here
_LANES = 8  # numbers that a processor computes at once
_FAST = {"contract", "nsz", "reassoc"}
_COMPILED = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": _FAST, "forceinline": True}


class _Bank(NamedTuple):
    """Wavelets by pairs of angles, t and -t; R pairs, of which the first (and the last) may be one angle alone.

    Parameters
    ----------
    kernels : ndarray of float32, shape (4, R + 1, 6, 6)
        Quarters of kernels, from the middle row and column on, and one of zeros. Of the real part what is even in
        frequency and in time, and what is odd in both; of the imaginary part what is even in frequency and odd in time,
        and the other way round. Those odd in frequency are without the middle row.
    spans : ndarray of int64, shape (4, 2)
        From which pair up to which the kernels are more than zeros.
    places : ndarray of int64, shape (R, 2)
        The angles' numbers; the second is -1 where there is one alone.
    """

    kernels: np.ndarray
    spans: np.ndarray
    places: np.ndarray


def scatter(images: np.ndarray, spec: ScatteringSpec = DEFAULT) -> np.ndarray:
    """Scattering of images.

    Parameters
    ----------
    images : ndarray
        (N, height, width, 3): uint8, or float32 in [0, 1].
    spec : ScatteringSpec
        With a kernel of `TAPS`.

    Returns
    -------
    ndarray of float32, shape (N, ``feature_count(spec)``)
        Those of the module that :func:`harness.hub.scattering.build` makes, within 3e-5.
    """
    if spec.kernel != TAPS:
        raise ValueError(f"kernel={spec.kernel}: these loops are for {TAPS}")
    found = np.zeros((len(images), 3, feature_count(spec) // 3), np.float32)
    levels = _power(np.arange(256, dtype=np.float32) / np.float32(255), spec.contrast)
    for image, blocks in zip(images, found, strict=True):
        same = [next(t for t in range(c + 1) if _equal(image, t, c)) for c in range(3)]
        for c in sorted(set(same)):  # one by one: its maps stay in the cache
            x = _of_levels(image, c, levels) if image.dtype == np.uint8 else _of_shares(image[..., c], spec)
            if _constant(image, c):
                blocks[c, : spec.bands] = x[0, 0]  # it has nothing but its level
            else:
                blocks[c] = _of_channel(x, spec)
        blocks[:] = blocks[same]
    return found.reshape(len(images), feature_count(spec))


def _of_shares(x: np.ndarray, spec: ScatteringSpec) -> np.ndarray:
    return _power(np.maximum(x, np.float32(0)), spec.contrast)


def _power(x: np.ndarray, exponent: float) -> np.ndarray:
    return x * np.sqrt(np.sqrt(x)) if exponent == 1.25 else x ** np.float32(exponent)


@njit(**_COMPILED)
def _of_levels(image: Any, c: Any, levels: Any) -> Any:
    """Channel `c` of an image of uint8, its 256 values by a table."""
    h, w, _ = image.shape
    found = np.empty((h, w), np.float32)
    for y in range(h):
        for x in range(w):
            found[y, x] = levels[image[y, x, c]]
    return found


@njit(**_COMPILED)
def _equal(image: Any, a: Any, b: Any) -> Any:
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if image[y, x, a] != image[y, x, b]:
                return False
    return True


@njit(**_COMPILED)
def _constant(image: Any, c: Any) -> Any:
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if image[y, x, c] != image[0, 0, c]:
                return False
    return True


def _of_channel(x: np.ndarray, spec: ScatteringSpec) -> np.ndarray:
    """Features (feature_count / 3,) of one channel (height, width)."""
    found = np.empty(feature_count(spec) // 3, np.float32)
    _pooled(x, spec.bands, spec.first_bands, spec.second_bands, *_steps(spec), *_bank(spec), found)
    parts = found[2 * spec.bands :]
    parts[:] = np.float32(spec.gain) * np.log1p(parts / np.float32(spec.offset))
    return found


@lru_cache(maxsize=8)
def _steps(spec: ScatteringSpec) -> tuple[np.ndarray, np.ndarray]:
    """Of how many rows one is taken at each octave, for the first and for the second order."""
    heights = [-(-spec.height // 2**j) for j in range(spec.octaves)]
    second = [step_of(rows, spec.second_bands, most=4) if spec.second_bands else 1 for rows in heights]
    return np.array([step_of(rows, spec.first_bands) for rows in heights]), np.array(second)


@njit(**_COMPILED)
def _pooled(
    x: Any, bands: Any, first_bands: Any, second_bands: Any, first_steps: Any, second_steps: Any,
    kernels: Any, spans: Any, places: Any, found: Any,
) -> None:  # fmt: skip
    """Pooled maps of one channel (height, width): itself, then of each octave the first order and the second."""
    height, width = x.shape
    maps, octaves = x.reshape(1, height, width), len(first_steps)
    at = _put(_pool(x.reshape(1, 1, height, width), bands), found, 0)
    for j in range(octaves):
        rows, columns = maps.shape[1], maps.shape[2]
        wide = _mirrored(maps)
        u = _moduli(wide, rows, columns, first_steps[j], kernels, spans, places)
        at = _put(_pool(u, first_bands), found, at)
        if j + 1 == octaves:
            break
        if second_bands:
            v = u[0] if first_steps[j] == 2 else _halved(_mirrored(u[0]), u.shape[2], u.shape[3])
            for k in range(j + 1, octaves):
                around = _mirrored(v)
                w = _moduli(around, v.shape[1], v.shape[2], second_steps[k], kernels, spans, places)
                at = _put(_pool(w, second_bands), found, at)
                if k + 1 < octaves:
                    v = _halved(around, v.shape[1], v.shape[2])
        maps = _halved(wide, rows, columns)


@njit(**_COMPILED)
def _put(pooled: Any, found: Any, at: Any) -> Any:
    """Write pooled maps into `found` from a place on; give the place behind them."""
    found[at : at + pooled.size] = pooled.ravel()
    return at + pooled.size


@lru_cache(maxsize=8)
def _bank(spec: ScatteringSpec) -> _Bank:
    bank = wavelets(spec).transpose(2, 0, 1)
    angles = len(bank)
    pairs = [(k, -1 if 2 * k in (0, angles) else angles - k) for k in range(angles // 2 + 1)]
    first = bank[[k for k, _ in pairs]]
    below, above = first[:, _HALF:, _HALF:], first[:, _HALF::-1, _HALF:]
    even, odd = (below + above) / 2, (below - above)[:, 1:] / 2
    kernels, spans = np.zeros((4, len(pairs) + 1, _HALF + 1, _HALF + 1), np.float32), np.zeros((4, 2), np.int64)
    for n, part in enumerate((even.real, odd.real, even.imag, odd.imag)):
        used = np.flatnonzero((abs(part) > 1e-9).any(axis=(1, 2)))
        if used.size:  # they follow each other: those at 0 and at 90 degrees may have none
            spans[n] = used[0], used[-1] + 1
            kernels[n, used, : part.shape[1]] = part[used]
    kernels[1:3, :, :, 0] = 0  # odd in time
    return _Bank(kernels, spans, np.array(pairs))


@njit(**_COMPILED)
def _mirrored(maps: Any) -> Any:
    """Maps (M, h, w) continued by their mirror image on all sides, by half a kernel."""
    count, h, w = maps.shape
    wide = np.empty((count, h + 2 * _HALF, w + 2 * _HALF), np.float32)
    for m in range(count):
        for y in range(h):
            row, out = maps[m, y], wide[m, y + _HALF]
            for x in range(w):
                out[_HALF + x] = row[x]
            for k in range(_HALF):
                out[k], out[_HALF + w + k] = row[_HALF - k], row[w - 2 - k]
        for k in range(_HALF):
            wide[m, k] = wide[m, 2 * _HALF - k]
            wide[m, _HALF + h + k] = wide[m, _HALF + h - 2 - k]
    return wide


@njit(**_COMPILED)
def _halved(wide: Any, h: Any, w: Any) -> Any:
    """Binomial halvings (M, h / 2, w / 2) of maps that are given mirrored."""
    one, four, six = np.float32(1 / 16), np.float32(4 / 16), np.float32(6 / 16)
    smooth = np.empty((len(wide), -(-h // 2), -(-w // 2)), np.float32)
    line = np.empty(wide.shape[2], np.float32)
    for m in range(len(wide)):
        for i in range(smooth.shape[1]):
            rows, out = wide[m, _HALF + 2 * i - 2 : _HALF + 2 * i + 3], smooth[m, i]
            a, b, c, d, e = rows[0], rows[1], rows[2], rows[3], rows[4]
            for x in range(len(line)):
                line[x] = one * (a[x] + e[x]) + four * (b[x] + d[x]) + six * c[x]
            for x in range(len(out)):
                at = _HALF + 2 * x
                out[x] = one * (line[at - 2] + line[at + 2]) + four * (line[at - 1] + line[at + 1]) + six * line[at]
    return smooth


@njit(**_COMPILED)
def _row(kernel: Any) -> Any:
    return kernel[0], kernel[1], kernel[2], kernel[3], kernel[4], kernel[5]


@njit(**_COMPILED)
def _sum(row: Any, pairs: Any) -> Any:
    return (
        row[0] * pairs[0] + row[1] * pairs[1] + row[2] * pairs[2] + row[3] * pairs[3] + row[4] * pairs[4]
        + row[5] * pairs[5]
    )  # fmt: skip


def _of_step(step: int) -> tuple[Any, Any]:
    """The innermost loops, for lanes of `step`: what lies around a column, in pairs, by two, three or four kernels."""
    lane_of, start_of = tuple(j % step for j in range(TAPS)), tuple(j // step for j in range(TAPS))

    @njit(**_COMPILED)
    def pair(lanes: Any, x: Any, sign: Any, j: Any) -> Any:
        after, before = _HALF + j, _HALF - j
        return lanes[lane_of[after], x + start_of[after]] + sign * lanes[lane_of[before], x + start_of[before]]

    @njit(**_COMPILED)
    def pairs(lanes: Any, x: Any, sign: Any) -> Any:
        return (
            lanes[lane_of[_HALF], x + start_of[_HALF]], pair(lanes, x, sign, 1), pair(lanes, x, sign, 2),
            pair(lanes, x, sign, 3), pair(lanes, x, sign, 4), pair(lanes, x, sign, 5),
        )  # fmt: skip

    @njit(**_COMPILED)
    def by_two(kernels: Any, k: Any, rows: Any, sign: Any, parts: Any) -> None:
        a, b = parts[k], parts[k + 1]
        for y in range(len(rows)):
            lanes, of_a, of_b = rows[y], _row(kernels[k, y]), _row(kernels[k + 1, y])
            for x in range(len(a)):
                around = pairs(lanes, x, sign)
                a[x] += _sum(of_a, around)
                b[x] += _sum(of_b, around)

    @njit(**_COMPILED)
    def by_three(kernels: Any, k: Any, rows: Any, sign: Any, parts: Any) -> None:
        a, b, c = parts[k], parts[k + 1], parts[k + 2]
        for y in range(len(rows)):
            lanes, of_a, of_b, of_c = rows[y], _row(kernels[k, y]), _row(kernels[k + 1, y]), _row(kernels[k + 2, y])
            for x in range(len(a)):
                around = pairs(lanes, x, sign)
                a[x] += _sum(of_a, around)
                b[x] += _sum(of_b, around)
                c[x] += _sum(of_c, around)

    @njit(**_COMPILED)
    def by_four(kernels: Any, k: Any, rows: Any, sign: Any, parts: Any) -> None:
        a, b, c, d = parts[k], parts[k + 1], parts[k + 2], parts[k + 3]
        for y in range(len(rows)):
            lanes = rows[y]
            of_a, of_b = _row(kernels[k, y]), _row(kernels[k + 1, y])
            of_c, of_d = _row(kernels[k + 2, y]), _row(kernels[k + 3, y])
            for x in range(len(a)):
                around = pairs(lanes, x, sign)
                a[x] += _sum(of_a, around)
                b[x] += _sum(of_b, around)
                c[x] += _sum(of_c, around)
                d[x] += _sum(of_d, around)

    @njit(**_COMPILED)
    def correlate(kernels: Any, span: Any, rows: Any, sign: Any, parts: Any) -> None:
        parts[:] = 0
        k, stop = span
        while k < stop:
            if stop - k >= 4:
                by_four(kernels, k, rows, sign, parts)
                k += 4
            elif stop - k == 3:
                by_three(kernels, k, rows, sign, parts)
                k += 3
            else:
                by_two(kernels, k, rows, sign, parts)
                k += 2

    @njit(**_COMPILED)
    def deal(wide: Any, period: Any, spare: Any) -> Any:
        height, width = wide.shape
        lanes = np.zeros((step, step, -(-height // step) * period + spare), np.float32)
        whole = min(period, width // step)
        for y in range(height):
            row, own, start = wide[y], lanes[y % step], y // step * period
            for x in range(whole):
                for p in range(step):
                    own[p, start + x] = row[x * step + p]
            if whole < period:
                for p in range(width - whole * step):
                    own[p, start + whole] = row[whole * step + p]
        return lanes

    return correlate, deal


(_correlate_1, _deal_1), (_correlate_2, _deal_2), (_correlate_4, _deal_4) = map(_of_step, (1, 2, 4))


@njit(**_COMPILED)
def _moduli(wide: Any, h: Any, w: Any, step: Any, kernels: Any, spans: Any, places: Any) -> Any:
    """Moduli (M, angles, h / step, w / step) of the wavelet transform of maps (M, h, w) that are given mirrored."""
    rows, columns = -(-h // step), -(-w // step)
    period = columns + (TAPS - 1) // step  # of a row in a lane
    joined = -(-rows // -(-rows // max(1, min(rows, _LONG // period))))  # batches of almost one size
    length = -(-joined * period // _LANES) * _LANES
    sums = np.zeros((_HALF + 1, step, length + TAPS), np.float32)
    differences = np.zeros((_HALF, step, length + TAPS), np.float32)
    parts = np.zeros((4, kernels.shape[1], length), np.float32)
    maps = np.empty((len(wide), places.max() + 1, rows, columns), np.float32)
    for m in range(len(wide)):
        lanes = _dealt(wide[m], step, period, length)
        for first in range(0, rows, joined):
            _fold(lanes, first * period, period, step, sums, differences)
            for q in range(4):
                sign = 1 if q % 3 == 0 else -1
                _filtered(kernels[q], spans[q], sums if q % 2 == 0 else differences, sign, step, parts[q])
            for i in range(min(joined, rows - first)):
                for r in range(len(places)):
                    for k in range(2):
                        if places[r, k] >= 0:
                            _modulus(parts, r, i * period, 1 - 2 * k, maps[m, places[r, k], first + i])
    return maps


@njit(**_COMPILED)
def _dealt(wide: Any, step: Any, period: Any, spare: Any) -> Any:
    """Rows and columns dealt out: pixel (y, x) is [y % step, x % step, y // step * period + x // step]."""
    if step == 1:
        return _deal_1(wide, period, spare)
    return _deal_2(wide, period, spare) if step == 2 else _deal_4(wide, period, spare)


@njit(**_COMPILED)
def _fold(lanes: Any, start: Any, period: Any, step: Any, sums: Any, differences: Any) -> None:
    """Sums and differences of the rows at equal distances above and below some rows of the result."""
    length = sums.shape[2] - TAPS
    for p in range(step):
        at = start + _HALF // step * period
        sums[0, p, :length] = lanes[_HALF % step, p, at : at + length]
        for d in range(1, _HALF + 1):
            low, high = _HALF + d, _HALF - d
            below = lanes[low % step, p, start + low // step * period :]
            above = lanes[high % step, p, start + high // step * period :]
            total, difference = sums[d, p], differences[d - 1, p]
            for x in range(length):
                total[x] = below[x] + above[x]
                difference[x] = below[x] - above[x]


@njit(**_COMPILED)
def _filtered(kernels: Any, span: Any, rows: Any, sign: Any, step: Any, parts: Any) -> None:
    sign = np.float32(sign)
    if step == 1:
        _correlate_1(kernels, span, rows, sign, parts)
    elif step == 2:
        _correlate_2(kernels, span, rows, sign, parts)
    else:
        _correlate_4(kernels, span, rows, sign, parts)


@njit(**_COMPILED)
def _modulus(parts: Any, r: Any, start: Any, sign: Any, out: Any) -> None:
    """Modulus of the wavelet of a pair (`sign` 1), or of the one at the opposite angle (-1), from its four parts."""
    real, other_real, sign = parts[0, r, start:], parts[1, r, start:], np.float32(sign)
    imaginary, other_imaginary = parts[2, r, start:], parts[3, r, start:]
    for x in range(len(out)):
        a, b = real[x] + sign * other_real[x], imaginary[x] + sign * other_imaginary[x]
        out[x] = math.sqrt(a * a + b * b)


@njit(**_COMPILED)
def _pool(stack: Any, bands: Any) -> Any:
    """Mean and deviation over time of maps (M, N, rows, columns), averaged inside each band: (2, M, bands, N)."""
    count, maps, rows, columns = stack.shape
    found = np.zeros((2, count, bands, maps), np.float32)
    for m in range(count):
        for n in range(maps):
            for y in range(rows):
                row = stack[m, n, y]
                mean = row.mean()
                square = np.float32(0)
                for x in range(columns):
                    square += (row[x] - mean) * (row[x] - mean)
                deviation = math.sqrt(square / np.float32(columns))
                for b in range(y * bands // rows, min(bands, (y + 1) * bands // rows + 1)):
                    overlap = min((b + 1) * rows, (y + 1) * bands) - max(b * rows, y * bands)  # in 1 / bands of a row
                    weight = np.float32(max(overlap, 0) / rows)
                    found[0, m, b, n] += weight * mean
                    found[1, m, b, n] += weight * deviation
    return found
