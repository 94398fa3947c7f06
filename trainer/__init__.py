"""Images -> model.

- `inputs`: the tables that a training starts from, their order, classes and splits
- `bottlenecks`: feature vectors through the store; `sources`: their keys and batches
- `drawn_features`: those of images that are drawn for them and never become files; `drawn_batches`: these on their way
- `logistic` and `sgd` train the head, the linear layer on top (`harness.head`)
- `lbfgs`: the optimiser of `logistic`; `history`: its pairs; `designs`: its matrices; `preconditioning`: the
  inverse Hessian, about
- `fitting`: a head for every fold, and the final one; all code that their numbers depend on
- `grid_ends`: heads whose regularisation is at an end of the grid
- `absent`: classes that a fold's head cannot know
- `crossvalidate`: every fold of one encoding and module, through the store; the predictions
- `clip_scores`: scores of clips from those of their tiles; `augmented_rows`: changed sounds, in training alone
- `single_fold`: one fold's head by gradient descent, with figures after some steps
- `vector_tasks`: feature vectors by the workers of a cluster
- `head_tasks`: the heads of one combination, here or on a cluster
- `ablation`: what is compared: encoding, module, head, seed; `running`: all of it, written to a folder; `from_tables`:
  from tables on disk
- `pairs`: what is found of one encoding and module; `known_results`: what was found before, without reading vectors
- `reduced`: where clips lie by their feature vectors, written for maps; `components`: principal components
- `repeats`: every combination over other groupings of the clips into folds
- `networks`: networks from scratch and modules that are fine-tuned
- `planning`: what of a training the store has
- `run_record`: step ``train`` of ``run.json``
- `export`: a fold's head as a model folder; `final`: the head of all folds as one; `model_folder`: writing it whole
- `fusions`: rows that join others, as a study asks for them; `fused_rows`: their heads and predictions;
  `late_fusion`: the mean of log scores, and its weights; `fused_model`, `fused_final`: their model folders
- `layout`: the folders of each fold, by hard links; `commands`: the retrain.py command line of each fold
- `retrain`: the parts of ``retrain.py``
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
