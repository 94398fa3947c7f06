from .files import find_files as find_files
from .loading import Model as Model
from .loading import load_model as load_model
from .output import FORMATS as FORMATS
from .output import write_labels as write_labels
from .predict import Labelled as Labelled
from .predict import label_files as label_files
