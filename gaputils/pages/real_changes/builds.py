"""The same weights in other builds, and the same pictures in other pixels."""

from __future__ import annotations

import copy
import io
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from gaputils._checks import integer
from gaputils._extras import require_extra
from gaputils.datasets.base import Images
from gaputils.models import Model

if TYPE_CHECKING:
    from PIL import Image

EXTRA = "runtimes"


def in_precision(model: Model, dtype: torch.dtype) -> Model:
    """`model` computing in `dtype`, by autocast."""
    return replace(model, dtype=dtype)


def in_int8(model: Model) -> Model:
    """`model` with the weights of its linear layers in int8, and what enters them too, by torchao.

    The scale of a weight is that of its row, the scale of what enters is taken anew from every row
    (dynamic quantisation). Convolutions and the weights within attention stay as they are.
    """
    require_extra(EXTRA, "int8", "torchao")
    from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_

    module = copy.deepcopy(model.module)
    quantize_(module, Int8DynamicActivationInt8WeightConfig())
    return replace(model, module=module)


def in_onnx(model: Model) -> Model:
    """`model` run by ONNX Runtime on the CPU: the same weights, exported by `torch.onnx`.

    Raises `ValueError` if the model does not compute in single precision on the CPU.
    """
    require_extra(EXTRA, "ONNX Runtime", "onnxruntime", "onnxscript")
    if model.device.type != "cpu" or model.dtype != torch.float32:
        raise ValueError(f"model: expected float32 on the CPU, got {model!r}")
    pixels = torch.zeros(2, 3, *model.image_size)
    module = _Sessions(
        _session(_Tower(model.module, "encode_image"), pixels),
        _session(_Tower(model.module, "encode_text"), model.tokenizer(["one", "two"])),
    )
    return replace(model, module=module)


def resized(model: Model, interpolation: str, antialias: bool = True) -> Model:
    """`model` whose preprocessing resizes pictures by another `interpolation`.

    Without `antialias` pixels between those that are hit are left out, as where tensors are resized
    by default or by OpenCV. Raises `ValueError` if the preprocessing is not torchvision's.
    """
    from torchvision import transforms

    steps = getattr(getattr(model.preprocess, "function", None), "transforms", [])
    old = [step for step in steps if isinstance(step, transforms.Resize)]
    if len(old) != 1:
        raise ValueError(f"model: expected one Resize of torchvision, got {model.preprocess!r}")
    way = transforms.InterpolationMode(interpolation)
    new = transforms.Resize(old[0].size, way, antialias=antialias)
    if antialias:
        return replace(
            model, preprocess=transforms.Compose([new if s is old[0] else s for s in steps])
        )
    # Pillow always smooths, so the pixels become numbers before they are resized.
    later = (transforms.CenterCrop, transforms.Normalize)
    kept = [step for step in steps if isinstance(step, later)]
    return replace(model, preprocess=transforms.Compose([transforms.ToTensor(), new, *kept]))


@dataclass(frozen=True)
class Jpeg:
    """`images` as a JPEG of this `quality` gives them back."""

    images: Images
    quality: int

    def __post_init__(self) -> None:
        integer("quality", self.quality, low=1, high=100)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image.Image:
        from PIL import Image

        stored = io.BytesIO()
        self.images[index].save(stored, "JPEG", quality=self.quality)
        return Image.open(stored)


class _Tower(nn.Module):
    """One encoder of a module, as a module that is called."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module, self.name = module, name

    def forward(self, inputs: Tensor) -> Tensor:
        return cast(Tensor, getattr(self.module, self.name)(inputs))


class _Sessions(nn.Module):
    """Two sessions of ONNX Runtime in the place of a module with two encoders."""

    def __init__(self, images: Any, texts: Any) -> None:
        super().__init__()
        self.images, self.texts = images, texts

    def encode_image(self, pixels: Tensor) -> Tensor:
        return _run(self.images, pixels)

    def encode_text(self, tokens: Tensor) -> Tensor:
        return _run(self.texts, tokens)


def _session(tower: nn.Module, example: Tensor) -> Any:
    """A session that runs `tower` on batches of any number of rows like those of `example`."""
    from onnxruntime import InferenceSession

    rows = {0: torch.export.Dim("rows", min=1)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about torch's insides
        program = torch.onnx.export(
            tower.eval(), (example,), dynamo=True, dynamic_shapes=(rows,), verbose=False
        )
        file = Path(folder) / "tower.onnx"
        cast(Any, program).save(file)
        return InferenceSession(str(file), providers=["CPUExecutionProvider"])


def _run(session: Any, rows: Tensor) -> Tensor:
    (name,) = (one.name for one in session.get_inputs())
    return torch.from_numpy(session.run(None, {name: rows.numpy()})[0])
