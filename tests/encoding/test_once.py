"""What several who ask for the same embed once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

import gaputils as gu
from gaputils.encoding.once import embed_once
from gaputils.models.model import Model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches of images that any model has embedded; the cache is empty."""
    sizes: list[int] = []
    encode = Model.encode_images

    def counted(model, images, **options):
        sizes.append(len(images))
        return encode(model, images, **options)

    monkeypatch.setattr(Model, "encode_images", counted)
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    return sizes


def test_the_second_who_asks_reads_what_the_first_made(batches: list[int]) -> None:
    model, data = gu.load_model("tiny-openmoji", step=0), gu.datasets.load("emoji10", copies=2)
    first = embed_once(model, data, templates="a drawing of a {}.")
    made = sum(batches)
    second = embed_once(model, data, templates="a drawing of a {}.")
    assert made == sum(batches) == len(data)
    direct = gu.embed(model, data, templates="a drawing of a {}.")
    for found in (first, second):
        torch.testing.assert_close(found.queries, direct.queries)
        torch.testing.assert_close(found.gallery, direct.gallery)
        assert torch.equal(found.targets, direct.targets)
        assert found.info["model"] == direct.info["model"]


def test_what_differs_is_embedded_anew(batches: list[int], tmp_path: Path) -> None:
    model, data = gu.load_model("tiny-openmoji", step=0), gu.datasets.load("emoji10", copies=2)
    embed_once(model, data)
    embed_once(model, data, templates=["a {}."])
    embed_once(gu.load_model("tiny-openmoji", step=50), data)
    embed_once(model, gu.datasets.load("emoji10", copies=3))
    assert len(list((tmp_path / "embedded").iterdir())) == 4
    assert sum(batches) == 3 * len(data) + 30


def test_who_asks_at_once_waits_for_the_first(batches: list[int]) -> None:
    model, data = gu.load_model("tiny-openmoji", step=0), gu.datasets.load("emoji10", copies=2)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: embed_once(model, data), range(3)))
    assert sum(batches) == len(data)
    assert all(torch.equal(found[0].queries, other.queries) for other in found[1:])
