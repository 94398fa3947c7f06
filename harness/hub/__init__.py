"""Modules: fixed functions from images, or from waveforms, to feature vectors.

- `handles`: a module as a person gives it
- `base`: a loaded module, what is known of it, and what a kind of modules must be able to do
- `kinds`: read a handle, describe its module, load it
- `probing`: whether it gives the same features each time
- `preprocess`: what happens to an image or a sound before a module sees it
- `builtin`: the kind ``builtin:``; `scattering` is its one module: for TensorFlow, made of
  operations in `maps`, and as the compiled loops of `harness.scattering_loops`
- `cnn`: the kind ``cnn:``, networks that are trained from scratch; `network_settings`: how networks are trained
- `keras`: the kind ``keras:``
- `saved_model`: SavedModels: folders, https://tfhub.dev and other addresses, and the kind ``kaggle:``; `fetching`
  finds their folders and knows their publishers
- `devices`: on what modules are run, and how exactly; `lite`: image modules by TensorFlow Lite on a processor;
  `tensorflow`: TensorFlow, late and quiet

Another kind of modules is one more file here, or anywhere: see `harness.registry`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
