"""Model + sound -> labels.

- `loading`: a model folder, ready to score
- `preparing`: a sound or picture made ready exactly as the training pictures were
- `labelling`: many files, in batches, in flat memory
- `files`: files, folders and patterns as a list of files
- `output`: ranked lines, CSV, JSON lines
"""

__all__ = ["files", "labelling", "loading", "output", "preparing"]
