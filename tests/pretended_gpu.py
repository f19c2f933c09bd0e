"""A GPU that is not there: tensors that say ``cuda:0`` and are computed on the processor.

What a real one refuses is refused here too: rows on two devices in one operation, a generator of
another device, NumPy on what lies on the card, what torch has no code for there. What it computes
is the processor's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

CUDA = torch.device("cuda", 0)
_ACROSS = {"_to_copy", "copy_", "copy", "set_", "lift_fresh"}
_BY_INDEX = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}


class OnCuda(Tensor):
    """A tensor that says it is on the GPU; `held` has its values."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> OnCuda:
        made: OnCuda = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=CUDA,
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()")
        return self.detach().cpu().numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.numpy()

    def __format__(self, form: str) -> str:
        return format(self.item(), form) if self.dim() == 0 else repr(self)

    def __repr__(self, **_: Any) -> str:
        return f"{self.held!r} on {CUDA}"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Generator(torch.Generator):
    """A generator that says which device it was asked for."""

    asked: torch.device

    def __new__(cls, device: torch.device | str = "cpu") -> _Generator:
        made = super().__new__(cls)
        made.asked = torch.device(device)
        return made

    def __init__(self, device: torch.device | str = "cpu") -> None: ...

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.asked


class _Mode(TorchDispatchMode):
    """Sends what is made on the GPU, and what is moved there, to `OnCuda`."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        return _run(func, args, kwargs or {})


class _Generators(TorchFunctionMode):
    """Holds that a generator is of the device on which it draws."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        used = options.get("generator")
        if isinstance(used, _Generator):
            place = options.get("device") or next((t.device for t in _tensors(args)), "cpu")
            if torch.device(place).type != used.asked.type:
                raise RuntimeError(
                    f"Expected a '{torch.device(place).type}' device type for generator but found "
                    f"'{used.asked.type}'"
                )
        return func(*args, **options)


def _run(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    there = any(isinstance(value, OnCuda) for value in _tensors([*args, *kwargs.values()]))
    wanted = kwargs.get("device")
    goes = there if wanted is None else torch.device(wanted).type == "cuda"
    if not there and not goes:
        return func(*args, **kwargs)
    name = func._schema.name.partition("::")[2]
    if there and name not in _ACROSS:
        operands = [args[0], *args[2:]] if name in _BY_INDEX else [*args, *kwargs.values()]
        for value in _tensors(operands):
            if not isinstance(value, OnCuda) and value.dim():
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, but {name} got "
                    f"{CUDA} and cpu, of shape {tuple(value.shape)}"
                )
    if goes and torch.version.cuda and not _computes(func):
        raise NotImplementedError(f"Could not run '{func.name()}' with arguments from 'CUDA'")
    if there and torch.Tag.inplace_view in func.tags:
        with no_dispatch():
            func(*args, **kwargs)
    options = {**kwargs, "device": torch.device("cpu")} if wanted is not None else dict(kwargs)
    wrapped = {
        id(value.held): value
        for value in _tensors([*args, *kwargs.values()])
        if isinstance(value, OnCuda)
    }
    out = func(*tree_map(_held, list(args)), **tree_map(_held, options))

    def back(value: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, OnCuda):
            return value
        known = wrapped.get(id(value))
        if known is not None:
            return known
        return OnCuda(value) if goes else value

    return tree_map(back, out)


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    """The tensors among `values` and in their lists."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


@cache
def _computes(func: Any) -> bool:
    """Whether torch has code for this on a GPU."""
    return bool(torch._C._dispatch_has_computed_kernel_for_dispatch_key(func.name(), "CUDA"))


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnCuda) else value


def _enter(mode: Any) -> None:
    mode.instead = torch.no_grad()
    mode.instead.__enter__()


def _leave(mode: Any, *error: Any) -> None:
    mode.instead.__exit__(*error)


@contextmanager
def pretended_gpu() -> Iterator[None]:
    """Inside, torch has a GPU: ``torch.ones(3, device="cuda")``, ``.to("cuda")`` and so on work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        patch.setattr(torch.cuda, "is_available", lambda: True)
        patch.setattr(torch.cuda, "device_count", lambda: 1)
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(Tensor, "pin_memory", lambda self, *_: self)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
        patch.setattr(torch.cuda, "current_device", lambda: 0)
        patch.setattr(torch.cuda, "get_device_name", lambda *_: "a pretended GPU")
        patch.setattr(torch.cuda, "synchronize", lambda *_: None)
        patch.setattr(torch.inference_mode, "__enter__", _enter)
        patch.setattr(torch.inference_mode, "__exit__", _leave)
        torch._C._ensureCUDADeviceGuardSet()
        lifted = torch._C._only_lift_cpu_tensors()
        overwritten = torch.__future__.get_overwrite_module_params_on_conversion()
        torch._C._set_only_lift_cpu_tensors(True)
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            with _Generators(), _Mode():
                yield
        finally:
            torch._C._set_only_lift_cpu_tensors(lifted)
            torch.__future__.set_overwrite_module_params_on_conversion(overwritten)
