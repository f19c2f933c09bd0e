"""The JSON files of Karpathy and Fei-Fei (2015): captions and splits of COCO and Flickr30k."""

from __future__ import annotations

from pathlib import Path

from gaputils._reading import read_json, reading, texts

SOURCE = "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"


def read_karpathy(path: Path, split: str) -> list[tuple[str, list[str]]]:
    """File name (with its folder, if it has one) and captions of each image of `split`."""
    content = read_json(path)
    with reading(path, "in Karpathy and Fei-Fei's format"):
        images = [image for image in content["images"] if split in ("all", image["split"])]
        splits = sorted({image["split"] for image in content["images"]})
        found = [
            (
                str(Path(image.get("filepath", "")) / image["filename"]),
                texts(sentence["raw"] for sentence in image["sentences"]),
            )
            for image in images
        ]
    if not found:
        raise ValueError(f"split: expected one of {[*splits, 'all']} of {path}, got {split!r}")
    return found
