"""What sounds there are: one module per corpus in `datasets`, each giving the clips table.

- `base`: what a corpus is, and what the corpora share
- `loading`: from a corpus's name to its checked clips table
- `rows`: the rows that a corpus gives, with clip ids and groups
- `parts`: parts of files that end after these do
- `splitting`: where its folds come from: its own, by group, by percentages, from lists of files
- `patterns`: fold, group and label from a path
- `scanning`: a corpus as a clips table on disk, the list of all corpora, the demo as files
- `look`: what the sounds of a table are like; `levels`: loudness, silence, channels that cancel; `findings`: what is
  unusual; `look_page`: all of it as one HTML file; `preview`: its images of sounds
- `given_images`: a corpus whose clips are images, as ``images.csv``
- `identical`: clips with the same bytes, which count as one group
- `duplicates`: the same sound under two names
- `sounds`, `fingerprint`, `matching`: digests, fingerprints and levels of clips; pairs of sounds with a common part
- `file_digests`: ``digests.csv``; `verifying`: files that are missing, changed or added since a scan
- `downloading`: corpora from the web
- `overlay`: labels changed by a table
- `arranging`: a clips table as class folders
- `cutting`: long recordings and videos as clips; `pieces`: what a recording is
  cut into; `recordings`: which there are, and where calls are in them; `cut_limits`: cuts that are refused
- `datasets`: the corpora; a new one is one file there, or anywhere (see `harness.registry`)
- `demo_sounds`, `demo_render`: the sounds of the demo, and recordings of them
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
