"""Images without files: of real sounds the same vectors, bit by bit, as through PNGs; memory bounded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converter.in_memory import plan_drawing
from converter.pipeline import convert_clips
from converter.registry import ENCODINGS
from harness import parallel
from harness.errors import ImageError
from harness.hub.kinds import describe, load, parse
from harness.memory_images import MemoryImage
from harness.store import Store
from harness.tables import CLIPS, frame
from merger.in_memory import plan_merges
from merger.pipeline import merge_images
from merger.registry import METHODS, method_from_json
from trainer import drawn_batches
from trainer import drawn_features as module
from trainer.bottlenecks import drawn_features, image_features
from trainer.drawn_features import draw_features

SETTINGS: dict[str, dict[str, Any]] = {"channels": {"of": ["logmel", 0.25, "waveform"]}, "blend": {"weights": [1, 3]}}


@pytest.fixture
def clips(esc10: Path) -> pd.DataFrame:
    """Three real sounds and a part of one."""
    files = sorted(esc10.rglob("*.ogg"))[::130][:3]
    rows: list[dict[str, object]] = [
        {"clip_id": file.name, "path": str(file), "label": file.parent.name, "fold": "1"} for file in files
    ]
    part = {**rows[0], "clip_id": "part", "start_s": 1.0, "end_s": 2.5}
    return frame([*rows, part], CLIPS)


def test_every_encoding_and_merge_gives_the_vectors_of_its_files(
    clips: pd.DataFrame, tiny_module: str, tmp_path: Path
) -> None:
    encodings = {name: ENCODINGS[name](size=(48, 64)) for name in ENCODINGS.names()}
    merges = {
        f"by_{how}": method_from_json({"how": how, "of": ["logmel", "waveform"], **SETTINGS.get(how, {})})
        for how in METHODS.names()
    }
    specs = [parse(tiny_module), parse("builtin:scattering")]
    loaders = {spec: cache(partial(load, spec)) for spec in specs}
    files, memory = Store(tmp_path / "files"), Store(tmp_path / "memory")
    run = convert_clips(clips, encodings, tmp_path / "out", store=files)
    run += merge_images(run.images, tmp_path / "out", merges, tmp_path / "out", store=files)
    nowhere = tmp_path / "none"
    planned = plan_merges(plan_drawing(clips, encodings, nowhere, store=memory).clips, merges, nowhere)
    done = draw_features(planned, specs, store=memory)
    drawn = done.images(planned)
    assert done.computed == len(specs) * len({each.digest for each in drawn.values()})
    for name in (*encodings, *merges):
        rows = run.images[run.images["encoding"] == name].sort_values(["label", "clip_id"])
        paths = [tmp_path / "out" / path for path in rows["path"]]
        mine = [drawn[clip_id, name] for clip_id in rows["clip_id"]]
        for spec in specs:
            expected = image_features(paths, spec, store=files, load=loaders[spec])
            found = drawn_features(mine, spec, store=memory, load=lambda: 1 / 0)
            assert (found.computed, found.failures) == (0, {})
            assert np.array_equal(found.values, expected.values), (name, spec.handle)
    assert not nowhere.exists()
    assert not (tmp_path / "memory" / "images").exists()
    again = draw_features(planned, specs, store=memory)
    assert (again.computed, again.digests) == (0, done.digests)


def test_an_image_that_is_drawn_otherwise_now_is_refused(clips: pd.DataFrame, tiny_module: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (clip,) = plan_drawing(clips[:1], {"gray": ENCODINGS["gray"]()}, tmp_path, store=store).clips
    with pytest.raises(ImageError, match=f"{clip.path}: changed while it was in use"):
        MemoryImage(clip, "gray", "0" * 64).input(describe(parse(tiny_module), store=store))


@pytest.mark.parametrize("jobs", [1, 2])
def test_only_so_many_results_wait(jobs: int) -> None:
    """With two processes as with one; they come in order."""
    assert list(parallel.in_parallel(abs, range(-7, 0), jobs=jobs, what="", ahead=3)) == [7, 6, 5, 4, 3, 2, 1]


def test_clips_are_drawn_in_parts_that_fit_into_memory(
    clips: pd.DataFrame, tiny_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = module.in_parallel

    def spy(work: Any, items: Sequence[Any], *, ahead: int, **others: Any) -> Any:
        seen.append(ahead)
        return real(work, items, ahead=ahead, **others)

    monkeypatch.setattr(module, "in_parallel", spy)
    planned = plan_drawing(clips, {"gray": ENCODINGS["gray"]()}, tmp_path, store=Store(tmp_path / "a")).clips
    draw_features(planned, [parse(tiny_module)], store=Store(tmp_path / "a"))
    monkeypatch.setattr(drawn_batches, "_BYTES_AHEAD", 10 * 16 * 16 * 3)
    draw_features(planned, [parse(tiny_module)], store=Store(tmp_path / "b"))
    assert seen == [256, 10]
