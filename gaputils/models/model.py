"""A loaded pair of encoders."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gaputils._checks import _typed, device_here, integer
from gaputils.models._images import checked_pixels, each_image, preprocessed, require_finite
from gaputils.models._precision import single_precision
from gaputils.models._text_tower import plan_texts
from gaputils.models._tokens import tokenize

if TYPE_CHECKING:
    from PIL import Image

_TEXTS_AT_ONCE = 2**15


@dataclass
class Model:
    """A loaded pair of encoders.

    `preprocess` turns an upright PIL image in RGB into a (3, height, width) tensor, `tokenizer`
    texts into token rows. `dtype` is the precision the encoders compute in; embeddings are always
    float32 of norm 1. `info` describes where the weights are from.
    """

    name: str
    module: nn.Module
    preprocess: Callable[[Image.Image], Tensor]
    tokenizer: Callable[[list[str]], Tensor]
    device: torch.device
    dtype: torch.dtype
    dim: int
    image_size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    info: dict[str, Any] = field(default_factory=dict)

    def to(self, device: str | torch.device) -> Model:
        """Move the encoders to `device`, in place."""
        self.device = pick_device(device)
        self.module.to(self.device)
        return self

    def normalize(self, pixels: Tensor) -> Tensor:
        """The uint8 `pixels` (n, 3, height, width) scaled and normalised, where they lie."""
        mean, std = (
            torch.tensor(value, dtype=torch.float32, device=pixels.device)[:, None, None]
            for value in (self.mean, self.std)
        )
        return pixels.float().div_(255).sub_(mean).div_(std)

    @torch.inference_mode()
    @single_precision()
    def encode_images(self, images: Tensor | Iterable[Image.Image]) -> Tensor:
        """Unit-norm embeddings (n, d) in float32 of `images`.

        `images` are one or more PIL images, which are turned as their EXIF says and brought to RGB
        of 8 bits, as those in files are; or a tensor (n, 3, height, width) at the model's own image
        size: of uint8, which is scaled and normalised here, or of floats that `preprocess` made,
        which are taken as they are.

        Raises `TypeError` or `ValueError`, naming `images` and the place, for anything else, other
        integers and what is not finite among it.
        """
        if isinstance(images, Tensor):
            pixels = images
        else:
            made = [
                preprocessed(self.preprocess, image, f"image {place}", "images")
                for place, image in enumerate(each_image(images))
            ]
            if not made:
                raise ValueError("images: expected at least one PIL image, got none")
            pixels = torch.stack(made)
        pixels = checked_pixels(pixels, self.image_size).to(self.device, non_blocking=True)
        pixels = self.normalize(pixels) if pixels.dtype == torch.uint8 else pixels.float()
        with self._autocast():
            features = cast(Any, self.module).encode_image(pixels)
        rows = F.normalize(features.float(), dim=-1)
        require_finite(rows, pixels, self.dtype)
        return rows

    @torch.inference_mode()
    @single_precision()
    def encode_texts(self, texts: Iterable[str], batch_size: int = 1024) -> Tensor:
        """Unit-norm embeddings (n, d) in float32 of `texts`, at most `batch_size` at a time.

        `texts` is any iterable of strings, and may be empty; raises `TypeError`, naming the place,
        for what is no string.

        Where the text tower is causal and read out at the end-of-text token, texts of one length
        share a batch and nothing is computed that cannot reach that token: the same up to rounding.
        Equal texts have equal embeddings, to the bit.
        """
        integer("batch_size", batch_size, low=1)
        every = _as_texts(texts)
        once, where = distinct(every)
        result = torch.empty(len(once), self.dim, dtype=torch.float32, device=self.device)
        window = max(batch_size, _TEXTS_AT_ONCE)
        for start in range(0, len(once), window):
            tokens = tokenize(self.tokenizer, once[start : start + window])
            encode, batches = plan_texts(self.module, tokens, batch_size)
            for places, batch in batches:
                with self._autocast():
                    features = encode(batch.to(self.device))
                rows = (places + start).to(self.device)
                result[rows] = F.normalize(features.float(), dim=-1)
        return result if len(once) == len(every) else result[where.to(self.device)]

    @property
    def logit_scale(self) -> float:
        """The factor on the cosines in the model's own softmax: 2 / tau of the paper's Eq. 2."""
        return float(cast(Any, self.module).logit_scale.detach().exp())

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def __repr__(self) -> str:
        return f"Model({self.name!r}, dim={self.dim}, device={self.device}, dtype={self.dtype})"


def _as_texts(value: Any) -> list[str]:
    """`value`, an iterable of strings, as a list; raises `TypeError` that says where it is none."""
    if isinstance(value, str):
        raise TypeError(
            f"texts: expected a sequence of strings, got one string {reprlib.repr(value)}"
        )
    try:
        one_by_one = None if isinstance(value, (bytes, Mapping)) else iter(value)
    except TypeError:
        one_by_one = None
    if one_by_one is None or getattr(value, "ndim", 1) != 1:
        raise TypeError(f"texts: expected a sequence of strings, got {_typed(value)}")
    texts = list(one_by_one)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts: expected strings, got {_typed(text)} at place {place}")
    return texts


def distinct(texts: Sequence[str]) -> tuple[list[str], Tensor]:
    """Each of `texts` once, in order, and where each of them stands there.

    >>> distinct(["crane", "missile", "crane"])
    (['crane', 'missile'], tensor([0, 1, 0]))
    """
    place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    return list(place), torch.tensor([place[text] for text in texts], dtype=torch.int64)


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """`device`, or for "auto" the best there is: CUDA, MPS, CPU.

    Raises `ValueError`, naming those that there are, for one that this machine has not.
    """
    if device != "auto":
        return device_here("device", device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
