"""Labels -> what they are worth: figures, tests of differences, tables, plots, one HTML report.

- `evaluation`: :func:`evaluate`, everything about one run folder; :func:`compare_runs`, several in one ranking
- `results`: :class:`Evaluation`, what :func:`evaluate` gives, and its files
- `predictions`: the predictions of a run, read, checked and sorted once
- `combinations`: what is compared: encoding, module, head; short names of them
- `metrics`: figures per fold, mean and deviation over folds, pooled
- `confusion`: confusion matrices, most confused pairs, classification report
- `statistics`: corrected t, Holm, practical equivalence; `intervals`: bootstrap over groups, within folds
- `student`: Student's t distribution
- `outcomes`: right and wrong, clip by clip, with whole groups
- `permutation`: sign flips of whole groups, max-T over the pairs compared
- `comparisons`: all of these for the best against the others, against a baseline, or for all pairs
- `training_scores`: accuracy over folds, or over those of several regroupings of the clips
- `tables`: ranking, folds, recall per class; as text, CSV, Markdown, LaTeX
- `verdict`: the outcome in words; `answers`: what is decided; `notes`: leaks and what else a reader must know
- `label_agreement`: whether runs were tested on the same labels
- `inspection`: what a person looks at and listens to: the next three
- `suspects`: labels that may be wrong
- `checklist`, `checklist_items`, `checklist_answers`: what a referee asks, as far as the run can answer; of it
  `checklist_training`: what was trained on what; `checklist_facts`: what answers are made of
- `feature_maps`: where the clips lie by their feature vectors, each clip's nearest one
- `legacy`: the outputs of the first projects
- `plots`: confusion matrix, recall, heat map of encodings and modules, as figures of matplotlib
- `learning_curves`: loss and accuracy of a training as a figure; `live_curves`: one in a notebook that follows it;
  `histories`: those of a run, read; `report_curves`: those in the report
- `report`: one self-contained HTML file; `report.html.j2`, `report.css` and `report.js` are what it is made from;
  `report_tables`: what it shows without a script; `report_clips`: what every combination made of every clip;
  `report_media`: which sounds and images go into it; `report_sources`: where they are; `report_made`: the steps
- `thumbnails`: small copies of images
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
