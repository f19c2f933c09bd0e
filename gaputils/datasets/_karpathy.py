"""The JSON files of Karpathy and Fei-Fei (2015): captions and splits of COCO and Flickr30k."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SOURCE = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def read_json(path: Path) -> Any:
    """The JSON in `path`; a `ValueError` that names the file if it is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not whole JSON: {error}") from error


def read_karpathy(path: Path, split: str) -> list[tuple[str, list[str]]]:
    """File name (with its folder, if it has one) and captions of each image of `split`."""
    content = read_json(path)
    try:
        images = [image for image in content["images"] if split in ("all", image["split"])]
        splits = sorted({image["split"] for image in content["images"]})
        found = [
            (
                str(Path(image.get("filepath", "")) / image["filename"]),
                [sentence["raw"] for sentence in image["sentences"]],
            )
            for image in images
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not in the expected format ({error!r})") from error
    if not found:
        raise ValueError(f"split: expected one of {[*splits, 'all']} of {path}, got {split!r}")
    return found
