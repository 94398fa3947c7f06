"""What is in a store and how large, whether it is whole, and how to make it smaller: ``soundfold store``.

- `scanning`: the files of a store, and what each of them is
- `summary`: entries, sizes, times and runs
- `verifying`: the checksum of every entry
- `pruning`: removing by age, size or run
- `compacting`: small files of feature vectors joined to larger ones
- `leftovers`: temporary files of killed processes
- `runs`: which entries a run used
- `units`: ages and sizes as people write them
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
