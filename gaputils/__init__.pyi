from . import datasets as datasets
from . import geometry as geometry
from . import pages as pages
from . import plots as plots
from . import templates as templates
from . import theory as theory
from .closing import HullProjection as HullProjection
from .closing import MeanShift as MeanShift
from .embed import embed as embed
from .embed import embed_classes as embed_classes
from .embeddings import Embeddings as Embeddings
from .geometry import describe_measures as describe_measures
from .geometry import gap_vector as gap_vector
from .geometry import measure_gap as measure_gap
from .models import PAPER_MODELS as PAPER_MODELS
from .models import Model as Model
from .models import load_model as load_model
from .noise import GaussianNoise as GaussianNoise
from .noise import UniformQuantization as UniformQuantization
from .robustness import accuracy_under_noise as accuracy_under_noise
from .robustness import certified_radius as certified_radius
from .robustness import robustness as robustness
from .robustness import robustness_curve as robustness_curve

__version__: str
