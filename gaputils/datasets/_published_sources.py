"""The table of published embeddings: `data/published.toml`, read once, a `Source` for each name."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

TABLE = Path(str(files("gaputils"))) / "data" / "published.toml"
_RAW = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class File:
    """One published file: where it is fetched from, where the cache has it, its SHA-256."""

    url: str
    place: str
    sha256: str


@dataclass(frozen=True)
class Source:
    """One name of the table. `sides` are the files of "pair", "gram", "queries", "gallery" or
    "rows", whichever the set has; `facts` is what its embeddings carry as `info`.
    """

    name: str
    sides: dict[str, tuple[File, ...]]
    dim: int
    modalities: tuple[str, ...]
    blocks: tuple[str, ...]
    facts: dict[str, Any] = field(hash=False)
    reference: File | None = None

    @property
    def one_sided(self) -> bool:
        return "rows" in self.sides

    @property
    def files(self) -> tuple[File, ...]:
        """Every file that the embeddings are read from."""
        return tuple(file for part in self.sides.values() for file in part)


@cache
def sources() -> dict[str, Source]:
    """Every `Source`, by name, in the table's order."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {name: _source(name, entry, table) for name, entry in table["sets"].items()}


def _source(name: str, entry: dict[str, Any], table: dict[str, Any]) -> Source:
    repository = table["repositories"][entry["repository"]]
    model = table["models"][entry["model"]]
    folder = repository.get("folder", entry["repository"])
    at = f"{_RAW}/{repository['github']}/{repository['commit']}/{repository.get('below', '')}"

    def file(path: str) -> File:
        return File(at + path, f"{folder}/{path}", repository["files"][path])

    lists: tuple[str, ...] = ("queries", "gallery", "rows")
    paths: dict[str, list[str]] = {side: entry[side] for side in lists if side in entry}
    paths |= {kind: [entry[kind]] for kind in ("pair", "gram") if kind in entry}
    sides = {side: tuple(map(file, some)) for side, some in paths.items()}
    first = next(iter(sides.values()))[0]
    about = (repository.get("doubts"), entry.get("doubts"))
    facts = {
        "name": name,
        "title": f"{model['name']} on {entry['data']}",
        "model": model["name"],
        "dim_from": model["dim_from"],
        "trained": model.get("trained", True),
        "data": entry["data"],
        "modalities": list(entry["modalities"]),
        "repository": repository["github"],
        "commit": repository["commit"],
        "source": first.url,
        "licence": repository["licence"],
        "citation": repository["citation"],
        "doubts": " ".join(filter(None, about)),
    }
    facts |= {key: model[key] for key in ("loss", "hopfield", "trained_on") if key in model}
    facts |= {key: entry[key] for key in ("paired", "mean", "closed_from") if key in entry}
    if "gram" in entry:
        facts["exact_up_to"] = "rotation"
    reference = file(entry["reference"]) if "reference" in entry else None
    modalities, blocks = tuple(entry["modalities"]), tuple(entry.get("blocks", ()))
    return Source(name, sides, model["dim"], modalities, blocks, facts, reference)
