"""Attempts with what other machines and programs bring: their devices, their encodings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gaputils as gu
from bad_input.arrays import good
from bad_input.files import picture
from bad_input.kinds import Attempt
from gaputils.closing import load as load_closing

ABSENT = ("cuda:99", "meta", "nowhere")

DEVICES: dict[str, Callable[[Path, str], Any]] = {
    "load_model": lambda _, device: gu.load_model("tiny-openmoji", device=device),
    "Embeddings.load": lambda folder, device: gu.Embeddings.load(
        gu.Embeddings(*good()).save(folder / "e.safetensors"), device
    ),
    "closing.load": lambda folder, device: load_closing(
        gu.MeanShift().fit(*good()).save(folder / "c.safetensors"), device
    ),
}


def _on(device: str, call: Callable[[Path, str], Any]) -> Callable[[Path], Any]:
    return lambda folder: call(folder, device)


def _lists(name: str, lines: str) -> Callable[[Path], Any]:
    def act(folder: Path) -> Any:
        picture(folder / "1.png")
        (folder / name).write_bytes(lines.encode("latin-1"))
        return gu.datasets.load("imagefolder", folder)

    return act


LISTS = {
    "metadata.csv": "file_name,text\n1.png,a café\n",
    "metadata.jsonl": '{"file_name": "1.png", "text": "a café"}\n',
    "1.txt": "a café\n",
}


def _grid(folder: Path) -> Any:
    (folder / "grid.yml").write_bytes("sweeps: [café]".encode("latin-1"))
    return gu.sweep.plan(folder / "grid.yml")


def attempts() -> list[Attempt]:
    """Every attempt of this module."""
    found = []
    for entry, call in DEVICES.items():
        for device in ABSENT:
            act, message = _on(device, call), f"^device: expected .*{device}"
            found.append(Attempt(entry, "device", device, act, "ValueError", message))
    for name, lines in LISTS.items():
        act, message = _lists(name, lines), rf"{name} is not .*line \d holds the byte 0xe9"
        entry = "datasets.load (imagefolder)"
        found.append(Attempt(entry, "encoding", name, act, "ValueError", message))
    message = r"^grid: .*grid\.yml is not YAML: line 1 holds the byte 0xe9"
    found.append(Attempt("sweep.plan", "encoding", "", _grid, "ValueError", message))
    return found
