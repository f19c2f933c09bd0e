"""Loading vision-language models: any that open_clip knows, and the small one shipped here.

What fails silently elsewhere fails loudly: weights trained with QuickGELU in a model without it,
images normalised otherwise than the weights expect, a network that is not there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gaputils import _history, _open_clip
from gaputils._checks import choice, device_here, integer
from gaputils._precision import InSinglePrecision, single_precision
from gaputils._text_tower import plan_texts
from gaputils._tokens import tokenize
from gaputils.embeddings import write_safetensors

if TYPE_CHECKING:
    from PIL import Image

TINY = "tiny-openmoji"

PAPER_MODELS: dict[str, tuple[str, str]] = {
    "OpenAI ViT-B/16": ("ViT-B-16-quickgelu", "openai"),
    "OpenAI ViT-L/14": ("ViT-L-14-quickgelu", "openai"),
    "SigLIP ViT-B/16": ("ViT-B-16-SigLIP", "webli"),
    "MetaCLIP ViT-B/16": ("ViT-B-16-quickgelu", "metaclip_fullcc"),
    "LAION ViT-B/32": ("ViT-B-32", "laion2b_s34b_b79k"),
    "LAION ViT-H/14": ("ViT-H-14", "laion2b_s32b_b79k"),
}
"""The paper's models: readable name to open_clip's name and pretrained tag."""

_TEXTS_AT_ONCE = 2**15
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Model:
    """A loaded pair of encoders.

    `preprocess` turns a PIL image into a (3, height, width) tensor, `tokenizer` texts into token
    rows. `dtype` is the precision the encoders compute in; embeddings are always float32 of
    norm 1. `info` describes where the weights are from.
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
    def encode_images(self, images: Tensor | Sequence[Image.Image]) -> Tensor:
        """Unit-norm embeddings (n, d) in float32 of `images`.

        `images` is a sequence of PIL images, a float tensor (n, 3, height, width) that
        `preprocess` made, or a uint8 tensor of that shape at the model's own image size, which is
        scaled and normalised here.
        """
        if not isinstance(images, Tensor):
            images = torch.stack([self.preprocess(image) for image in images])
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, *self.image_size):
            expected = f"(n, 3, {self.image_size[0]}, {self.image_size[1]})"
            raise ValueError(f"images: expected shape {expected}, got {tuple(images.shape)}")
        images = images.to(self.device, non_blocking=True)
        images = self.normalize(images) if images.dtype == torch.uint8 else images.float()
        with self._autocast():
            features = cast(Any, self.module).encode_image(images)
        return F.normalize(features.float(), dim=-1)

    @torch.inference_mode()
    @single_precision()
    def encode_texts(self, texts: Sequence[str], batch_size: int = 1024) -> Tensor:
        """Unit-norm embeddings (n, d) in float32 of `texts`, at most `batch_size` at a time.

        Where the text tower is causal and read out at the end-of-text token, texts of one length
        share a batch and nothing is computed that cannot reach that token: the same up to rounding.
        """
        integer("batch_size", batch_size, low=1)
        if isinstance(texts, str):
            raise TypeError("texts: expected a sequence of strings, got one string")
        result = torch.empty(len(texts), self.dim, dtype=torch.float32, device=self.device)
        window = max(batch_size, _TEXTS_AT_ONCE)
        for start in range(0, len(texts), window):
            tokens = tokenize(self.tokenizer, texts[start : start + window])
            encode, batches = plan_texts(self.module, tokens, batch_size)
            for places, batch in batches:
                with self._autocast():
                    features = encode(batch.to(self.device))
                rows = (places + start).to(self.device)
                result[rows] = F.normalize(features.float(), dim=-1)
        return result

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


@single_precision()
def load_model(
    name: str,
    pretrained: str | Path | None = None,
    *,
    step: int | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    preprocess: dict[str, Any] | None = None,
) -> Model:
    """The model `name` with the weights `pretrained`.

    `name` is "tiny-openmoji" (shipped; `step` chooses a checkpoint of its training history, the
    last if left out), a name of open_clip with a tag or a local file as `pretrained`,
    "hf-hub:owner/model", or a local folder with an `open_clip_config.json`: one that
    `gaputils train` wrote (`step` as above) or any that open_clip reads. `device` "auto" takes
    CUDA, then MPS, then the CPU; `precision` "auto" bf16 on CUDA and fp32 elsewhere.
    `preprocess` overrides single values of the image preprocessing ("mean", "std", …).

    Raises `ValueError` if a name, tag or step is unknown, or if activation or preprocessing do
    not fit the weights, and `datasets.DataUnavailable`, saying what was wanted and how to pass a
    local file, if weights are neither here nor to be fetched.
    """
    if not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {type(name).__name__}")
    target = pick_device(device)
    dtype = pick_dtype(precision, target)
    folder = _history_folder(name, pretrained)
    if folder is not None:
        parts = _load_history(folder, step)
    elif step is None:
        register()
        parts = _open_clip.load(name, pretrained, preprocess)
    else:
        raise ValueError(f"step: {name!r} has no training history here, got {step}")
    return _wrap(name, parts, target, dtype)


def export_checkpoint(folder: str | Path, step: int | None = None) -> Path:
    """Write `tiny-openmoji` as a folder that open_clip reads: ``local-dir:FOLDER``.

    `step` as in `load_model`. Returns the file with the weights, which is also what
    ``open_clip.create_model_and_transforms("tiny-openmoji", pretrained=file)`` takes after
    `register`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _history.write_config(folder)
    file = folder / "open_clip_model.safetensors"
    state = _history.read_checkpoint(_history.SHIPPED, _pick_step(_history.SHIPPED, step))
    write_safetensors(file, state, {})
    return file


def register() -> None:
    """Make open_clip know the architecture "tiny-openmoji"."""
    import open_clip

    if TINY not in open_clip.list_models():
        open_clip.add_model_config(_history.MODEL_FILE)


def training_steps(folder: str | Path = _history.SHIPPED) -> list[int]:
    """The steps of a training history that `load_model` can be asked for."""
    return _history.kept_steps(Path(folder))


def pick_device(device: str | torch.device = "auto") -> torch.device:
    """`device`, or for "auto" the best there is: CUDA, MPS, CPU.

    Raises `ValueError`, naming those that there are, for one that this machine has not.
    """
    if device != "auto":
        return device_here("device", device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type the encoders compute in; "auto" is bf16 on CUDA and fp32 elsewhere."""
    choice("precision", precision, ("auto", *_PRECISIONS))
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    return _PRECISIONS[precision]


def _history_folder(name: str, pretrained: str | Path | None) -> Path | None:
    """The folder of a training history, if that is what is asked for."""
    if name == TINY and pretrained is None:
        return _history.SHIPPED
    candidate = Path(pretrained) if name == TINY and pretrained is not None else Path(name)
    if candidate.is_dir() and _history.kept_steps(candidate):
        return candidate
    return None


def _pick_step(folder: Path, step: int | None) -> int:
    steps = _history.kept_steps(folder)
    if step is None:
        return steps[-1]
    if step not in steps:
        raise ValueError(f"step: expected one of {steps}, got {step!r}")
    return step


def _load_history(folder: Path, step: int | None) -> tuple[nn.Module, Any, Any, dict[str, Any]]:
    import open_clip

    register()
    step = _pick_step(folder, step)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "open_clip_model.safetensors"
        write_safetensors(file, _history.read_checkpoint(folder, step), {})
        module, _, transform = open_clip.create_model_and_transforms(TINY, pretrained=str(file))
    info: dict[str, Any] = {"step": step}
    if folder != _history.SHIPPED:
        info["source"] = str(folder)
    return module, transform, open_clip.get_tokenizer(TINY), info


def _wrap(
    name: str,
    parts: tuple[Any, Any, Any, dict[str, Any]],
    device: torch.device,
    dtype: torch.dtype,
) -> Model:
    module, transform, tokenizer, info = parts
    module = module.to(device).eval().requires_grad_(False)
    used = module.visual.preprocess_cfg
    size = used["size"]
    height, width = (size, size) if isinstance(size, int) else size
    return Model(
        name=name,
        module=module,
        preprocess=InSinglePrecision(transform),
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        dim=_dimension(module, tokenizer, device),
        image_size=(height, width),
        mean=tuple(used["mean"]),
        std=tuple(used["std"]),
        info={"model": name, "precision": str(dtype).removeprefix("torch."), **info},
    )


@torch.inference_mode()
def _dimension(module: Any, tokenizer: Any, device: torch.device) -> int:
    return int(module.encode_text(tokenizer(["a"]).to(device)).shape[1])


def load_history(name: str = TINY, *, device: str | torch.device = "auto") -> dict[int, Model]:
    """Every kept checkpoint of a training history, by step.

    `name` is "tiny-openmoji" or the folder of a run of `gaputils train`. Any other model that
    `load_model` takes by its name alone counts as one checkpoint, at step 0.
    """
    folder = _history_folder(name, None)
    if folder is None:
        return {0: load_model(name, device=device)}
    return {step: load_model(name, step=step, device=device) for step in training_steps(folder)}
