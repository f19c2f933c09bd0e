"""Explorers: figures with controls, over pre-rendered pictures on a page and live with a kernel."""

from gaputils.pages.explorer.boundary import decision_boundary
from gaputils.pages.explorer.closing import published_closing
from gaputils.pages.explorer.dynamics import gap_by_setting, training_dynamics
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.frames import Frames, frames
from gaputils.pages.explorer.retrieval import emoji_gains, emoji_retrieval

__all__ = [
    "Explorer",
    "Frames",
    "decision_boundary",
    "emoji_gains",
    "emoji_retrieval",
    "explorer",
    "frames",
    "gap_by_setting",
    "published_closing",
    "training_dynamics",
]
