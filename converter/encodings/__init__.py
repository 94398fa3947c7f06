"""The encodings, one module each, found by file name.

A module defines ``Spec``, a frozen dataclass on :class:`converter.spec.Spec`, and
``encode(y, *, sr, spec) -> uint8 (H, W, 3)``. `y` is a clip's samples, or the :class:`converter.sound.Sound` that
several encodings of the clip share; ``as_sound`` takes either. Its docstring's first line is its description.
"""
