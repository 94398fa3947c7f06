"""What sounds there are: one module per corpus in `catalogue`, each giving the clips table.

- `available`: the names of all corpora
- `card`: a corpus's title, citation, licence, folds, meaning of its groups
- `load`: the checked clips table of a corpus, in natural order of the clips
- `missing_files`: clips whose file is not there, as rows for ``failures.csv``
- `remarks`: what is odd about a clips table, in words
- `arrange`: a clips table as class folders

A new corpus is one file in `catalogue`; its docstring there says what the file holds.
"""

from corpora.arranging import arrange
from corpora.loading import available, card, load, missing_files, remarks

__all__ = ["arrange", "available", "card", "load", "missing_files", "remarks"]
