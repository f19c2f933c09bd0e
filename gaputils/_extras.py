"""Optional libraries: asked for by the name of the extra that brings them."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS: dict[str, tuple[str, ...]] = {
    "data": ("pyarrow",),
    "sweep": ("papermill", "jupytext", "ipykernel", "nbformat", "pyarrow", "yaml"),
}


def require_extra(extra: str, purpose: str) -> None:
    """Raise `ModuleNotFoundError`, with the command that helps, unless `extra` is installed.

    >>> require_extra("data", "reading parquet")
    """
    lacking = [name for name in EXTRAS[extra] if find_spec(name) is None]
    if lacking:
        raise ModuleNotFoundError(
            f"{purpose} needs {', '.join(lacking)}: pip install 'gaputils[{extra}]'",
            name=lacking[0],
        )
