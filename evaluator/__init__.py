"""Labels -> what they are worth: figures, tests of differences, tables, pictures, one HTML report.

- `evaluation`: :func:`evaluate`, everything about one run folder
- `predictions`: the predictions of a run, read, checked and sorted once
- `combinations`: what is compared: encoding, module, head; short names of them
- `metrics`: figures per fold, mean and deviation over folds, pooled
- `confusion`: confusion matrices, most confused pairs, classification report
- `statistics`: corrected t, Holm, practical equivalence, bootstrap over groups
- `comparisons`: all of these for every pair of combinations, or against a baseline
- `tables`: ranking, folds, recall per class; as text, CSV, Markdown, LaTeX
- `verdict`: the outcome in words
- `pictures`: the same as PNG
- `report`: one self-contained HTML file
"""

from evaluator.evaluation import Summary, compare_runs, evaluate

__all__ = ["Summary", "compare_runs", "evaluate"]
