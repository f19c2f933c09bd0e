"""The book's explorers."""

from gaputils.widgets.scenes.boundary import decision_boundary
from gaputils.widgets.scenes.closing import published_closing
from gaputils.widgets.scenes.dynamics import training_dynamics
from gaputils.widgets.scenes.retrieval import emoji_retrieval

__all__ = ["decision_boundary", "emoji_retrieval", "published_closing", "training_dynamics"]
