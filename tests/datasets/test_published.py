"""Published embeddings: the right file, the known figures, and a clear error without network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.datasets import DataUnavailable, published_names
from gaputils.datasets.published import SOURCES, stored_file

GAP_NORMS = {
    "liang2022-clip-coco": 0.851,
    "liang2022-clip-coco-random": 1.136,
    "liang2022-videoclip-msrvtt": 1.067,
    "liang2022-videoclip-msrvtt-random": 0.954,
    "liang2022-clasp": 1.045,
    "liang2022-clasp-random": 1.289,
}


@pytest.mark.parametrize("name", published_names())
def test_gap_norm_is_the_known_one(name: str, published) -> None:
    e = published(name)
    gap = e.queries.double().mean(0) - e.gallery.double().mean(0)
    assert float(gap.norm()) == pytest.approx(GAP_NORMS[name], abs=5e-4)
    assert e.paired
    assert e.info["source"] == SOURCES[name].url
    norms = torch.cat([e.queries, e.gallery]).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-3)


def test_queries_are_the_first_array(published) -> None:
    e = published("liang2022-clip-coco")
    pair = np.load(stored_file("liang2022-clip-coco"), allow_pickle=False)
    np.testing.assert_array_equal(e.queries.numpy(), pair[0])
    np.testing.assert_array_equal(e.gallery.numpy(), pair[1])


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="name: expected one of liang2022-clip-coco"):
        gu.datasets.published("clip")


def test_without_network_the_error_says_where_to_put_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    def no_network(*_args, **_kwargs) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    monkeypatch.setattr("requests.get", no_network)
    with pytest.raises(DataUnavailable, match="no route to host") as caught:
        gu.datasets.published("liang2022-clasp")
    assert str(tmp_path / "liang2022" / "features_clasp.npy") in str(caught.value)


def test_a_changed_file_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    def no_network(*_args, **_kwargs) -> None:
        raise ConnectionError("no route to host")

    folder = tmp_path / "liang2022"
    folder.mkdir()
    np.save(folder / "features_clasp.npy", np.eye(3))
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    monkeypatch.setattr("requests.get", no_network)
    with pytest.raises(DataUnavailable, match="not the published file"):
        gu.datasets.published("liang2022-clasp")
    assert np.load(folder / "features_clasp.npy").shape == (3, 3)


def test_what_is_missing_is_left_out_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path, capsys: pytest.CaptureFixture[str], published
) -> None:
    def no_network(*_args, **_kwargs) -> None:
        raise ConnectionError("no route to host")

    published("liang2022-clasp")
    there = stored_file("liang2022-clasp").read_bytes()
    monkeypatch.setenv("GAPUTILS_CACHE", str(tmp_path))
    (tmp_path / "liang2022").mkdir()
    stored_file("liang2022-clasp").write_bytes(there)
    monkeypatch.setattr("requests.get", no_network)
    names = ["liang2022-clip-coco", "liang2022-clasp"]
    assert list(gu.datasets.published_where_available(names)) == ["liang2022-clasp"]
    assert "Left out here: liang2022-clip-coco" in capsys.readouterr().out
