"""Explorers: figures with controls, over pre-rendered pictures on a page and live with a kernel."""

from gaputils.widgets.explorer import Explorer, explorer
from gaputils.widgets.frames import Frames, frames
from gaputils.widgets.scenes import (
    decision_boundary,
    emoji_retrieval,
    published_closing,
    training_dynamics,
)

__all__ = [
    "Explorer",
    "Frames",
    "decision_boundary",
    "emoji_retrieval",
    "explorer",
    "frames",
    "published_closing",
    "training_dynamics",
]
