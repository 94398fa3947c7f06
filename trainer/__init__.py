"""Pictures -> model.

- `layout`: the folders of each fold, by hard links
- `commands`: the retrain.py command line of each fold
- `bottlenecks`: feature vectors through the store
- `head`: the linear layer on top; `lbfgs` and `sgd` train it
- `crossvalidate`: every fold of one encoding and module, by the protocol
- `export`: a fold's head, or the final one, as a model folder
- `image_lists`: the split of ``retrain.py``
"""
