"""Pictures -> model.

- `layout`: the folders of each fold, by hard links
- `commands`: the retrain.py command line of each fold
- `bottlenecks`: feature vectors through the store
- `head`: the linear layer on top; `lbfgs` and `sgd` train it
- `crossvalidate`: every fold of one encoding and module, by the protocol
- `export`: a fold's head, or the final one, as a model folder
- `image_lists`, `image_split`: the pictures of ``retrain.py`` and their three sets
- `retrain_flags`, `retrain_data`, `retrain_steps`, `retrain_logging`: the parts of ``retrain.py``
- `distortions`, `summaries`, `checkpoint`, `frozen`: what it does beside the steps
"""
