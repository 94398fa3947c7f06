"""Images -> image: several encodings of a clip in one, joined on clip_id.

- `methods`: ``channels``, ``stack``, ``blend``, a module each
- `spec`: the base of every merge method
- `registry`: which methods there are, ours and others'; those that a study or a command line asks for
- `merging`: one clip's images merged, from their files
- `pipeline`: many clips, several processes, nothing merged twice
- `other_folders`: merges whose partners lie in another folder, and have been drawn anew there
- `in_memory`: images that have no files, merged where they are drawn
- `pixels`: names, constants, fractions, luminance, sizes
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
