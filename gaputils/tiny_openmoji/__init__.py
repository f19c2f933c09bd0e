"""The model that ships: its recipe, its checkpoints, and what was recorded while it trained."""
