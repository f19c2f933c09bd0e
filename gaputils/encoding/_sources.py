"""What tells the images of one run from those of another, without reading their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gaputils.datasets._broken import ChosenImages, image_name
from gaputils.datasets.base import Images


def source_digest(images: Images, places: Sequence[int]) -> str:
    """SHA-256 of the names of the images at `places`, of their files' sizes, or of their pixels.

    Pixels are looked at where they lie in memory, and of images without a name of the first and
    the last.
    """
    while isinstance(images, ChosenImages):
        chosen = images
        images, places = chosen.images, [chosen.places[place] for place in places]
    total = hashlib.sha256()
    for place in places:
        total.update(json.dumps([image_name(images, place), _size(images, place)]).encode())
    pixels: Any = getattr(images, "pixels", None)
    if pixels is not None:
        total.update(np.ascontiguousarray(pixels[list(places)]).tobytes())
    elif not hasattr(images, "name"):
        for place in (places[0], places[-1]):
            total.update(images[place].convert("RGB").tobytes())
    return total.hexdigest()


def _size(images: Any, place: int) -> int | None:
    """The bytes of an image's file or member; None where there is none."""
    if hasattr(images, "paths"):
        path = Path(images.paths[place])
        return path.stat().st_size if path.exists() else None
    places = getattr(images, "places", None)
    return None if places is None else int(places[place][2])
