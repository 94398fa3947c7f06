"""The 32 items of REFORMS, in our words: what each asks, and what only the authors of a study can add.

Kapoor et al., "REFORMS: Consensus-based recommendations for machine-learning-based science", Science Advances 10,
eadk3452, 2024.
"""

from __future__ import annotations

__all__ = ["SECTIONS"]

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "1 Goals": {
        "1a": (
            "The population or distribution that the claim is about",
            "which sounds, of what, where and when recorded",
        ),
        "1b": ("Why this population", "the reason for choosing it"),
        "1c": ("Why machine learning", "what it is to do that other methods cannot"),
    },
    "2 Reproducibility": {
        "2a": ("The data set, with a link that identifies it", "link or DOI, release, licence"),
        "2b": ("The code, with its version", "link or DOI of the code, and of changes to it"),
        "2c": ("Where it was computed", "processors, memory, time of the first run from nothing"),
        "2d": ("Instructions for others", "a README that leads from the data to the figures"),
        "2e": ("A script for all results", "where the study's file is, and what else a reader must run"),
    },
    "3 Data": {
        "3a": ("Sources of the data and of the labels", "who recorded and labelled, when, by what rules"),
        "3b": ("What the data were sampled from", "the sampling frame"),
        "3c": ("Why these data suit the task", "the reason"),
        "3d": ("What is predicted, and how often each outcome occurs", "what the classes mean"),
        "3e": ("Sample size", "why it is enough"),
        "3f": ("Missing data", "what was missing before the corpus was put together"),
        "3g": ("Whether the data represent the population", "the reason, or what they lack"),
    },
    "4 Preprocessing": {
        "4a": ("What was left out, and why", "clips left out before the corpus was put together, and why"),
        "4b": ("Impossible or damaged samples", "what was done about them"),
        "4c": ("From the recording to the model's input", "what was done to the recordings before"),
    },
    "5 Modelling": {
        "5a": ("The models: inputs, outputs, kind", "what the modules were trained on"),
        "5b": ("Why these kinds of models", "the reason"),
        "5c": ("How models were evaluated", "where the folds come from"),
        "5d": ("How a model was chosen", "how the claimed model was chosen, if not so"),
        "5e": ("How hyperparameters were chosen", "settings that were tried and are not in this run"),
        "5f": ("Baselines", "why these are fair comparisons, and whether they had the same care"),
    },
    "6 Leakage": {
        "6a": (
            "Training and test data are apart in every step",
            "anything learnt or chosen before this run that used the tested clips",
        ),
        "6b": (
            "Dependence and duplicates between training and test data",
            "dependence that groups do not show: place, day, device, speaker",
        ),
        "6c": (
            "Every input is legitimate",
            "whether the sound gives the label away by what is not there in use, such as a device or an announcement",
        ),
    },
    "7 Metrics and uncertainty": {
        "7a": ("Metrics", "which one the claim is about, and why"),
        "7b": ("Uncertainty of the figures", "what else varies"),
        "7c": ("Statistical tests", "why they fit the claim"),
    },
    "8 Limits": {
        "8a": ("Evidence for other data", "results on data from elsewhere"),
        "8b": ("Where the findings are not expected to hold", "the limits"),
    },
}
"""By section and number."""
