"""The merge methods, one module each.

- `blend`: weighted mean of images
- `channels`: each of red, green, blue (and alpha) is an image or a constant
- `stack`: images one after the other

A module defines a class on :class:`merger.spec.MergeMethod` with a `name`; its docstring's first line is its
description.
"""
