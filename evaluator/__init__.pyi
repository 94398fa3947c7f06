from .combinations import Combination as Combination
from .confusion import Confusion as Confusion
from .confusion import confusion_matrices as confusion_matrices
from .confusion import confusion_matrix as confusion_matrix
from .evaluation import compare_runs as compare_runs
from .evaluation import evaluate as evaluate
from .evaluation import output_folders as output_folders
from .metrics import metrics_table as metrics_table
from .plots import draw_confusion as draw_confusion
from .plots import draw_heat_map as draw_heat_map
from .plots import draw_recall as draw_recall
from .predictions import prepare as prepare
from .predictions import read_predictions as read_predictions
from .results import Evaluation as Evaluation
from .statistics import bootstrap as bootstrap
from .statistics import corrected_ttest as corrected_ttest
from .tables import fold_table as fold_table
from .tables import ranking as ranking
from .tables import ranking_text as ranking_text
from .tables import recall_table as recall_table

__all__ = [
    "Combination",
    "Confusion",
    "Evaluation",
    "bootstrap",
    "compare_runs",
    "confusion_matrices",
    "confusion_matrix",
    "corrected_ttest",
    "draw_confusion",
    "draw_heat_map",
    "draw_recall",
    "evaluate",
    "fold_table",
    "metrics_table",
    "output_folders",
    "prepare",
    "ranking",
    "ranking_text",
    "read_predictions",
    "recall_table",
]
