"""Loading vision-language models: open_clip's, transformers', and the small one shipped here.

What fails silently elsewhere fails loudly: weights trained with QuickGELU in a model without it,
images normalised otherwise than the weights expect, a network that is not there.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gaputils._checks import _typed, choice, integer
from gaputils._extras import require_extra
from gaputils._files import write_safetensors
from gaputils._reading import named_place
from gaputils.models import _open_clip, _transformers
from gaputils.models._precision import InSinglePrecision, single_precision
from gaputils.models.model import Model, pick_device
from gaputils.tiny_openmoji import checkpoints

TINY = "tiny-openmoji"
"""The name of the model that ships with the package."""

PAPER_MODELS: dict[str, tuple[str, str]] = {
    "OpenAI ViT-B/16": ("ViT-B-16-quickgelu", "openai"),
    "OpenAI ViT-L/14": ("ViT-L-14-quickgelu", "openai"),
    "SigLIP ViT-B/16": ("ViT-B-16-SigLIP", "webli"),
    "MetaCLIP ViT-B/16": ("ViT-B-16-quickgelu", "metaclip_fullcc"),
    "LAION ViT-B/32": ("ViT-B-32", "laion2b_s34b_b79k"),
    "LAION ViT-H/14": ("ViT-H-14", "laion2b_s32b_b79k"),
}
"""The paper's models: readable name to open_clip's name and pretrained tag."""

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@single_precision()
@torch.random.fork_rng(devices=[])  # modules are made with random weights first
def load_model(
    name: str | Path | nn.Module,
    pretrained: str | Path | None = None,
    *,
    step: int | None = None,
    device: str | torch.device = "auto",
    precision: str = "auto",
    preprocess: dict[str, Any] | None = None,
    processor: Any = None,
) -> Model:
    """The model `name` with the weights `pretrained`.

    `name` is "tiny-openmoji" (shipped; `step` chooses a checkpoint of its training history, the
    last if left out), a name of open_clip with a tag or a local file as `pretrained`,
    "hf-hub:owner/model", or a local folder with an `open_clip_config.json`: one that
    `gaputils train` wrote (`step` as above) or any that open_clip reads. `device` "auto" takes
    CUDA, then MPS, then the CPU; `precision` "auto" bf16 on CUDA, fp16 on a card that only emulates
    bf16, and fp32 elsewhere and, on every device, for a model with a training history.
    `preprocess` overrides single values of the image preprocessing: "mean", "std" (three numbers
    each), "interpolation", "resize_mode"; `info["preprocess"]` then says so.

    Of Hugging Face's transformers, `name` is a `CLIPModel` or `SiglipModel` with its `processor`,
    or a folder into which `save_pretrained` wrote both (``config.json``, ``model.safetensors``).

    Raises `ValueError` if a name, tag or step is unknown, or if activation or preprocessing do
    not fit the weights, `TypeError` for an argument of another kind, and
    `datasets.DataUnavailable`, saying what was wanted and how to pass a local file, if weights are
    neither here nor to be fetched.

    >>> import gaputils as gu
    >>> model = gu.load_model("tiny-openmoji", device="cpu")
    >>> model.encode_texts(["a red heart", "a dog"]).shape
    torch.Size([2, 256])
    """
    target = pick_device(device)
    dtype = pick_dtype(precision, target)
    if _transformers.is_model(name) or (
        isinstance(name, (str, Path)) and _transformers.is_saved_folder(name)
    ):
        for argument, value in (("pretrained", pretrained), ("step", step)):
            if value is not None:
                raise ValueError(f"{argument}: a model of transformers has its own, got {value!r}")
        if preprocess is not None:
            raise ValueError("preprocess: set it in the processor of a model of transformers")
        return _of_transformers(name, processor, target, dtype)
    if processor is not None:
        raise ValueError("processor: only a model of transformers takes one")
    if not isinstance(name, (str, Path)):
        raise TypeError(
            f"name: expected a name, a folder or a model of transformers, got {type(name).__name__}"
        )
    if not isinstance(pretrained, (str, Path, type(None))):
        raise TypeError(f"pretrained: expected a tag or a path, got {_typed(pretrained)}")
    name = str(name)
    if not name.strip():
        raise ValueError(f"name: expected a name or a folder, got {name!r}")
    values = _open_clip.checked_preprocess({} if preprocess is None else preprocess)
    folder = _history_folder(name, pretrained)
    if folder is not None:
        dtype = torch.float32 if precision == "auto" else dtype
        parts = _load_history(folder, step, values)
    elif step is None:
        register()
        parts = _open_clip.load(name, pretrained, values)
    elif name == TINY:
        raise ValueError(
            f"pretrained: expected the folder of a training history to take step {step!r} from, "
            f"got {str(pretrained)!r}"
        )
    else:
        raise ValueError(f"step: {name!r} has no training history here, got {step}")
    return _of_open_clip(name, parts, target, dtype, values)


def export_checkpoint(folder: str | Path, step: int | None = None) -> Path:
    """Write `tiny-openmoji` as a folder that open_clip reads: ``local-dir:FOLDER``.

    `step` as in `load_model`. Returns the file with the weights, which is also what
    ``open_clip.create_model_and_transforms("tiny-openmoji", pretrained=file)`` takes after
    `register`.
    """
    folder = named_place("folder", folder)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints.write_config(folder)
    file = folder / "open_clip_model.safetensors"
    state = checkpoints.read_checkpoint(checkpoints.SHIPPED, _pick_step(checkpoints.SHIPPED, step))
    return write_safetensors(file, state, {})


def register() -> None:
    """Make open_clip know the architecture "tiny-openmoji"."""
    require_extra("models", "a model of open_clip", "open_clip", "torchvision", "PIL")
    import open_clip

    if TINY not in open_clip.list_models():
        open_clip.add_model_config(checkpoints.MODEL_FILE)


def training_steps(folder: str | Path = checkpoints.SHIPPED) -> list[int]:
    """The steps of a training history that `load_model` can be asked for."""
    return checkpoints.kept_steps(Path(folder))


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The type the encoders compute in; "auto" is what `load_model` says, by the device alone."""
    choice("precision", precision, ("auto", *_PRECISIONS))
    if precision == "auto":
        precision = _half() if device.type == "cuda" else "fp32"
    return _PRECISIONS[precision]


def _half() -> str:
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def _history_folder(name: str, pretrained: str | Path | None) -> Path | None:
    """The folder of a training history, if that is what is asked for."""
    if name == TINY and pretrained is None:
        return checkpoints.SHIPPED
    candidate = Path(pretrained) if name == TINY and pretrained is not None else Path(name)
    if not candidate.is_dir() or not checkpoints.kept_steps(candidate):
        return None
    if name != TINY and pretrained is not None:
        raise ValueError(
            f"pretrained: the training history {name!r} brings its own weights, got "
            f"{str(pretrained)!r}"
        )
    return candidate


def _pick_step(folder: Path, step: int | None) -> int:
    steps = checkpoints.kept_steps(folder)
    if step is None:
        return steps[-1]
    if integer("step", step, low=0) not in steps:
        raise ValueError(f"step: expected one of {steps}, got {step!r}")
    return int(step)


def _load_history(
    folder: Path, step: int | None, preprocess: dict[str, Any]
) -> tuple[nn.Module, Any, Any, dict[str, Any]]:
    register()
    import open_clip

    step = _pick_step(folder, step)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "open_clip_model.safetensors"
        write_safetensors(file, checkpoints.read_checkpoint(folder, step), {})
        module, _, transform = open_clip.create_model_and_transforms(
            TINY, pretrained=str(file), **_open_clip.image_options(preprocess)
        )
    info: dict[str, Any] = {"step": step}
    if folder != checkpoints.SHIPPED:
        info["source"] = str(folder)
    return module, transform, open_clip.get_tokenizer(TINY), info


def _of_open_clip(
    name: str,
    parts: tuple[Any, Any, Any, dict[str, Any]],
    device: torch.device,
    dtype: torch.dtype,
    changed: dict[str, Any],
) -> Model:
    module, transform, tokenizer, info = parts
    used = module.visual.preprocess_cfg
    size = used["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if changed:
        info = {**info, "preprocess": changed}
    norm = tuple(used["mean"]), tuple(used["std"])
    return _wrap(name, (module, transform, tokenizer), (height, width), norm, device, dtype, info)


def _of_transformers(name: Any, processor: Any, device: torch.device, dtype: torch.dtype) -> Model:
    """A model of transformers, or that of a folder."""
    from PIL import Image

    if isinstance(name, (str, Path)):
        source, (model, own) = str(name), _transformers.load_folder(Path(name))
        processor = own if processor is None else processor
    else:
        model, source = name, str(name.config.name_or_path or name.config.model_type)
    parts = _transformers.parts(model, processor)
    images = processor.image_processor
    pixels = parts[1](Image.new("RGB", (64, 64)))
    norm = tuple(images.image_mean), tuple(images.image_std)
    info = {"library": "transformers"}
    return _wrap(source, parts, (pixels.shape[1], pixels.shape[2]), norm, device, dtype, info)


def _wrap(
    name: str,
    parts: tuple[Any, Any, Any],
    size: tuple[int, int],
    norm: tuple[tuple[float, ...], tuple[float, ...]],
    device: torch.device,
    dtype: torch.dtype,
    info: dict[str, Any],
) -> Model:
    """The model of these encoders, preprocessing and tokenizer; `norm` are mean and deviation."""
    module, preprocess, tokenizer = parts
    module = module.to(device).eval().requires_grad_(False)
    with torch.inference_mode():
        dim = module.encode_text(tokenizer(["a"]).to(device)).shape[1]
    return Model(
        name=name,
        module=module,
        preprocess=InSinglePrecision(preprocess),
        tokenizer=tokenizer,
        device=device,
        dtype=dtype,
        dim=int(dim),
        image_size=size,
        mean=norm[0],
        std=norm[1],
        info={"model": name, "precision": str(dtype).removeprefix("torch."), **info},
    )


def load_history(name: str = TINY, *, device: str | torch.device = "auto") -> dict[int, Model]:
    """Every kept checkpoint of a training history, by step.

    `name` is "tiny-openmoji" or the folder of a run of `gaputils train`. Any other model that
    `load_model` takes by its name alone counts as one checkpoint, at step 0.
    """
    folder = _history_folder(name, None)
    if folder is None:
        return {0: load_model(name, device=device)}
    return {step: load_model(name, step=step, device=device) for step in training_steps(folder)}
