"""GR-CLIP: modality means measured once, on data of their own, and subtracted ever after."""

from __future__ import annotations
