"""Networks whose weights are trained: small ones from scratch, and modules that are fine-tuned.

- `augmenting`: images changed at random, for training steps
- `steps`: one network: its weights, a training step, its features
- `training`: epochs, and when to end
- `fitting`: the phases of one fold's training, from checkpoint to checkpoint
- `checkpoints`: networks and their checkpoints in the store
- `images`: the images of a table as one array
- `timing`: how long it will take, and how far it is
- `preparing`: what networks of one table have in common: images, module, keys
- `folds`: every fold of one encoding and network; `final`: the network of all clips
- `curves`: the figures of every epoch, ``history.csv``
- `trained`: a module with the weights of a fold, in the folder of a run
"""
