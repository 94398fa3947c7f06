"""What all of soundfold stands on; imports none of the other packages.

- `errors`: the exception tree, did-you-mean
- `files`: atomic writes, digests, links
- `tables`: the schemas of every table that stages hand each other
- `record`: ``run.json``
- `store`: the content-addressed store
- `protocol`: the folds: train, validation, test, and the group check
- `audio`, `image`: reading and writing sounds and pictures
- `hub`, `scattering`: modules that turn pictures or sounds into feature vectors
- `model`: the folder of a trained model
- `progress`, `cli`: bars, exit codes, one clear line
"""
