"""Embeddings that others computed with real models and published, fetched with a checksum."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pooch
import torch

from gaputils import _checks
from gaputils.datasets._sources import cache_folder
from gaputils.datasets.base import DataUnavailable
from gaputils.embeddings import Embeddings

_COMMIT = "8e20cb24efa4c5f89aad694f2f65eb43ffc46d10"
_BASE = f"https://raw.githubusercontent.com/Weixin-Liang/Modality-Gap/{_COMMIT}/"
_FOLDER = "Figure_1_Modality_Gap/"


@dataclass(frozen=True)
class Source:
    """One published file: what it holds and how to recognise it."""

    file: str
    sha256: str
    model: str
    data: str
    modalities: tuple[str, str]

    @property
    def url(self) -> str:
        return _BASE + _FOLDER + self.file


_CLIP = "OpenAI CLIP ViT-B/16"
_RANDOM = "{}, random weights"
SOURCES: dict[str, Source] = {
    "liang2022-clip-coco": Source(
        "features_clip.npy",
        "7227280ace0f145d2c45afa8ab507a1cb280e9460aa271fe9052d08e35342adb",
        _CLIP,
        "COCO val2017",
        ("image", "caption"),
    ),
    "liang2022-clip-coco-random": Source(
        "features_clip_random.npy",
        "c6a5f9ca3fba36d635fd47d20b3cdd5b9ac78dc462070240fdc2ee2786110403",
        _RANDOM.format(_CLIP),
        "COCO val2017",
        ("image", "caption"),
    ),
    "liang2022-videoclip-msrvtt": Source(
        "features_videoclip.npy",
        "53255cac6105c5c47dd1850d77de084957d5f83841ba9ae9254bf7ae998573da",
        "VideoCLIP",
        "MSR-VTT test",
        ("video", "text"),
    ),
    "liang2022-videoclip-msrvtt-random": Source(
        "features_videoclip_random.npy",
        "c57ee05a606c4a9da0d71ad8b5d5c964d780af816890064a693eb178492c0f3b",
        _RANDOM.format("VideoCLIP"),
        "MSR-VTT test",
        ("video", "text"),
    ),
    "liang2022-clasp": Source(
        "features_clasp.npy",
        "5a1d12a68729405003fe19b271a38ae35adab97c139e4b4a51d70b18c44bf628",
        "CLASP",
        "proteins and their descriptions",
        ("protein", "text"),
    ),
    "liang2022-clasp-random": Source(
        "features_clasp_random.npy",
        "2a159d008b7527e9fbd3de49daf9116d9500d1aaa250c3a5b009b162c5f4066b",
        _RANDOM.format("CLASP"),
        "proteins and their descriptions",
        ("protein", "text"),
    ),
}
_CITATION = (
    "Liang, Zhang, Kwon, Yeung, Zou: Mind the Gap: Understanding the Modality Gap in Multi-modal "
    "Contrastive Representation Learning. NeurIPS 2022. MIT licence."
)


def published_names() -> tuple[str, ...]:
    """The names that `published` knows."""
    return tuple(SOURCES)


def stored_file(name: str) -> Path:
    """Where the file of the published embeddings `name` is kept, whether it is there or not."""
    return cache_folder() / "liang2022" / SOURCES[name].file


def published(name: str) -> Embeddings:
    """Embeddings of a real model, published by Liang et al. (2022), row i of one side with row i
    of the other: images (videos, proteins) are the queries and captions the gallery, unit norm.

    The file is fetched once, checked against its SHA-256 and kept in `cache_folder()/liang2022`.
    Raises `ValueError` for an unknown name and `DataUnavailable` if the file is neither there nor
    to be had from the network.
    """
    source = SOURCES[_checks.choice("name", name, published_names())]
    pair = np.load(_fetch(name, source), allow_pickle=False)
    info = {
        "name": name,
        "model": source.model,
        "data": source.data,
        "modalities": list(source.modalities),
        "source": source.url,
        "citation": _CITATION,
    }
    return Embeddings(pair[0], pair[1], torch.arange(pair.shape[1]), info)


def _fetch(name: str, source: Source) -> Path:
    wanted = stored_file(name)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        path = pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}",
            fname=wanted.name,
            path=wanted.parent,
            downloader=pooch.HTTPDownloader(timeout=30),
        )
    except (OSError, ValueError) as error:
        raise DataUnavailable(
            f"{name}: {wanted} is missing or not the published file (SHA-256 {source.sha256}), "
            f"and fetching {source.url} failed: {error}. "
            f"Put the file there yourself, or set GAPUTILS_CACHE to a folder that has "
            f"liang2022/{source.file}."
        ) from error
    finally:
        logger.setLevel(level)
    return Path(path)


def published_where_available(names: Iterable[str] | None = None) -> dict[str, Embeddings]:
    """Those of the `names` (all) that are in the cache or can be fetched, in their order.

    For each of the others a line on standard output says what is missing and why.
    """
    found = {}
    for name in published_names() if names is None else names:
        try:
            found[name] = published(name)
        except DataUnavailable as error:
            print(f"Left out here: {error}")
    return found
