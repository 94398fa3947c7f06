"""What all of soundfold stands on; imports none of the other packages.

- `errors`: the exception tree, did-you-mean
- `files`: atomic writes, digests, links
- `tables`: the schemas of every table that stages hand each other
- `pictures`: the folder of pictures that ``images.csv`` describes
- `record`: ``run.json``
- `store`: the content-addressed store
- `protocol`: the folds: train, validation, test, and the group check
- `audio`, `image`: reading and writing sounds and pictures
- `handles`: module handles, what they mean and where their files lie
- `hub`: modules of every kind; `saved_models`, `keras_models` and `scattering` are the kinds, `module` what they give
- `model`: the folder of a trained model
- `study_file`, `toml`: studies, and settings as people type them
- `parallel`, `progress`, `cli`: processes, bars, exit codes and one clear line
- `tf`: TensorFlow, late and quiet
"""
