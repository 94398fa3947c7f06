"""One module per corpus, found by its file name.

- `demo`: ten kinds of sound that the program makes itself
- `folders`: a folder per class
- `csv`: any CSV file that names sounds
- `urbansound8k`: UrbanSound8K, with or without its metadata
- `esc50`: ESC-50 and ESC-10, both releases

A module holds

- a docstring with citation, licence and the layout on disk;
- ``CARD``, a :class:`corpora.base.Card`;
- ``scan(root, options)``, which gives a list of rows (dicts) with ``path`` (absolute) and, as far as the corpus
  knows them, ``label, fold, group, start_s, end_s``; `options` is a :class:`corpora.base.ScanOptions`;
- where the corpus can say itself where it lies, ``default_root(options)``.

Everything else (clip ids, class subset, folds, the check of the groups, order) is done once, in `corpora.loading`.
"""
