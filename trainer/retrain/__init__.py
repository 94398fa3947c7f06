"""The parts of ``retrain.py``; `run` calls the others, in this order.

- `flags`: the command line
- `outputs`: the paths to write to, tried before any work is done
- `logs`: the log lines on stderr
- `image_lists`: class folders, their images, labels and groups, lists of files
- `split`: which images train, validate and test
- `data`: the three sets as feature vectors
- `augment`: distortions of training images
- `training`: the head is trained, then tested
- `callback`: after each step: evaluation, summaries, intermediate graphs, checkpoint
- `summaries`: TensorBoard events
- `checkpoint`: where a stopped training stood
- `frozen_graph`: the graph that other programs run
- `run`: one training from the images to the model
"""
