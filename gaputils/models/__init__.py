"""Models that embed images and texts: any of open_clip, and the one that ships."""

from gaputils.models.loading import (
    PAPER_MODELS,
    TINY,
    export_checkpoint,
    load_history,
    load_model,
    register,
    training_steps,
)
from gaputils.models.model import Model, pick_device

__all__ = [
    "PAPER_MODELS",
    "TINY",
    "Model",
    "export_checkpoint",
    "load_history",
    "load_model",
    "pick_device",
    "register",
    "training_steps",
]
