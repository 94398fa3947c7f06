"""One module per corpus.

- `demo`: ten kinds of sound that the program makes itself
- `folders`: a folder per class
- `images`: a folder per class of images that are there already
- `csv`: any CSV file that names sounds
- `urbansound8k`: UrbanSound8K, with or without its metadata
- `speech_commands`: Speech Commands, with its official lists
- `esc50`: ESC-50 and ESC-10, both releases

A module's docstring says citation, licence and the layout on disk; it defines one :class:`corpora.base.Corpus`, whose
`scan` gives a row for each clip. A corpus may as well come from outside: see `harness.registry`.
"""
