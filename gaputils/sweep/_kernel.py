"""Which kernel a page runs with: its own, or the one at hand where its own is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lazy_loader

nbformat: Any = lazy_loader.load("nbformat")

CURRENT = "python3"


def choose_kernel(notebook: Path) -> tuple[str, str, str]:
    """Kernel and language of an .ipynb `notebook`, and what there is to tell about the choice.

    A Python page whose kernel is missing or not named, as one saved in a conda environment of
    another machine, runs with the kernel of this environment. Raises `ValueError` for another
    language whose kernel is not installed.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    metadata = nbformat.read(notebook, as_version=4).metadata
    spec = metadata.get("kernelspec") or {}
    name = spec.get("name") or ""
    language = spec.get("language") or metadata.get("language_info", {}).get("name") or "python"
    installed = KernelSpecManager().find_kernel_specs()
    if name in installed:
        return name, language, ""
    if language.lower() not in ("python", "ipython"):
        raise ValueError(
            f"{notebook.name}: its kernel {name!r} for {language} is not installed here; there is "
            f"{', '.join(sorted(installed))}"
        )
    named = f"its kernel {name!r} is not installed here" if name else "it names no kernel"
    return CURRENT, "python", f"{notebook.name}: {named}; it runs with {CURRENT!r}"
