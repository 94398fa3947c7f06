"""The parts of ``retrain.py``."""
