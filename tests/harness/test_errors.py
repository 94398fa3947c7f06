"""The exception tree and what an unknown name may have meant."""

from __future__ import annotations

import pickle

import pytest

from harness import errors


def test_all_is_what_is_public() -> None:
    public = {
        n for n, v in vars(errors).items() if not n.startswith("_") and getattr(v, "__module__", "") == errors.__name__
    }
    assert set(errors.__all__) == public
    assert errors.__all__ == sorted(errors.__all__)


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n.endswith("Error")])
def test_every_error_is_a_soundfold_error(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.SoundfoldError)
    assert errors.__doc__ is not None
    assert name in errors.__doc__
    again = pickle.loads(pickle.dumps(kind("one line")))
    assert type(again) is kind, "an error must survive the way back from another process"
    assert str(again) == "one line"


def test_did_you_mean() -> None:
    assert (
        errors.did_you_mean("logmell", ["waveform", "logmel"]) == "did you mean 'logmel'? available: logmel, waveform"
    )
    assert errors.did_you_mean("xyz", iter(["b", "a"])) == "available: a, b"
    assert errors.did_you_mean("xyz", []) == "available: none"
