"""Pictures -> picture: several encodings of a clip in one, joined on clip_id.

- `catalogue`: which merges there are; specs by name, from JSON, from a study
- `methods`: ``channels``, ``stack``, ``blend``; a new one is a new file
- `merge`: many clips, several processes, nothing merged twice
- `options`: the command line's words as a spec
- `pixels`: constants, fractions, luminance, sizes
- `spec`: what the spec of every merge has
"""

__all__ = ["catalogue", "merge", "methods", "options", "pixels", "spec"]
