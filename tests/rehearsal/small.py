"""The paper's architectures under their own names, but small enough to rehearse with in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip

NAMES = ("ViT-B-16-quickgelu", "ViT-L-14-quickgelu", "ViT-B-16-SigLIP", "ViT-B-32", "ViT-H-14")
_WIDTH, _HEADS, _LAYERS = 64, 2, 2


def register(folder: Path) -> None:
    """Make open_clip build the small ones in this process; their configs lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        file = folder / f"{name}.json"
        if not file.exists():
            file.write_text(json.dumps(shrunk(open_clip.get_model_config(name))))
    open_clip.add_model_config(folder)


def shrunk(config: dict[str, Any]) -> dict[str, Any]:
    """`config` with towers of two layers on small images; all else is as it was."""
    words = {**config["text_cfg"], "width": _WIDTH, "heads": _HEADS, "layers": _LAYERS}
    images = {**config["vision_cfg"], "image_size": 112}
    if "timm_model_name" in images:
        images |= {"timm_model_name": "test_vit", "image_size": 160}
    else:
        images |= {"layers": _LAYERS, "width": _WIDTH, "head_width": _WIDTH // _HEADS}
    return {**config, "embed_dim": _WIDTH, "vision_cfg": images, "text_cfg": words}
