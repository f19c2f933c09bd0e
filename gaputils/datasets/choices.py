"""Questions about images with several answers to choose from."""

from __future__ import annotations
