"""The ways to merge, one module each, found by file name.

A module defines ``Spec``, a frozen dataclass with ``partners``, ``from_settings`` and ``to_json``, and
``merge(pictures, spec) -> uint8 (H, W, 3 or 4)``, pure. Its docstring's first line is its description.
"""
