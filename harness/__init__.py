"""What all of soundfold uses; imports none of the other packages.

- `errors`: the exception tree, did-you-mean
- `settings`: the base of everything that a person sets, its checks and messages
- `registry`, `extension`: encodings, corpora, merge methods and module kinds by name, also from outside
- `code_version`: versions of code for cache keys, from what it imports; `syntax`: what a module's text says
- `files`: atomic writes, digests, links; `run_lock`: one command at a time in a folder of results
- `written`: which files soundfold has written, the only ones that it replaces
- `urls`: paths that may be URLs; `remote`: files behind them
- `tables`: the schemas of every table that stages hand each other; `failures`: ``failures.csv``
- `cells`: of CSV files, which no spreadsheet runs
- `images`: the folder of images that ``images.csv`` describes; `image_tasks`: how its images come there
- `memory_images`: images that never become files; `memory_runs`: their rows; `image_digests`: of those drawn before
- `tile_ids`: names of the tiles of a clip; `augmented_ids`: of its changed sounds
- `figures`: accuracy as every command quotes it
- `recipes`: how images were drawn; `merge_order`: merges after those that they are made of
- `outdated`: merged images whose partners are drawn anew
- `record`: ``run.json``; `duplicates`: ``duplicates.csv``
- `store`: the content-addressed store; `remote_store`: one behind a URL; `vectors`: feature vectors in it
- `digests`: of files that were read before; `unchanged`: whether a finished run is as it was left
- `store_care`: what is in a store, verifying and pruning it
- `protocol`: the splits: which clips train, which choose, which test
- `balance`: training rows with equally many of each class
- `split_parts`: a single train/validation/test split
- `shared_groups`: groups that span folds, and what is done about them
- `label_changes`: labels that a person changed, for training alone or wherever they are used
- `audio`, `image`: reading and writing sounds and images; `decoding`: sound files as samples, whole or refused;
  `sound_source`: a file, or the bytes of one; `promised_length`: what its header promises; `ffmpeg`: what libsndfile
  lacks; `stream_holes`: where an Ogg or MP3 lacks a part; `excerpts`: short ones of sounds, for pages;
  `player`: one of them in a notebook
- `reading`: recordings block by block, up to where they are damaged; `cutting`: parts of them
- `time_labels`, `label_tables`: label files of Audacity, Raven and Praat, read
- `native_stderr`: what native code prints, held back; `decoder_messages`: what decoders say, as warnings
- `hub`: modules of every kind; `scattering_loops`: the compiled loops of one, where no registry imports them
- `reduced`: feature vectors as principal components, for maps
- `head`: the linear layer on top of a module; `model`: the folder of a trained model;
  `model_members`: those of a fused one
- `study_file`, `toml`: studies, and settings as people type them
- `parallel`, `threads`, `progress`, `cli`: processes, threads, bars, exit codes and one clear line
- `cluster`: work sent to a Dask scheduler; `cluster_connection`: the way to it; `cluster_worker`: what its workers run
- `installation`: whether a foreign package is in the way; `interpreter`: how Python itself is set
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
