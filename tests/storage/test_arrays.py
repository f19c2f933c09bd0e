"""Files of tensors as `torch.save` writes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils._reading import UnreadableFile
from gaputils.storage.files import iter_rows, read_matrix

X, Y = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_dict_of_tensors(tmp_path: Path, suffix: str) -> None:
    content = {"image_features": X.requires_grad_(), "text_features": Y, "labels": torch.arange(6)}
    torch.save({**content, "model": "ViT-B/32", "epoch": 3}, tmp_path / f"e{suffix}")
    e = gu.read_pair(tmp_path / f"e{suffix}")
    assert torch.equal(e.queries, X.detach())
    assert torch.equal(e.gallery, Y)
    assert e.paired
    assert not e.queries.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_one_tensor_of_both_sides_or_two_files(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save(torch.stack([X.detach(), Y]).to(dtype), tmp_path / "pair.pt")
    torch.save(X.detach().to(dtype), tmp_path / "x.pt")
    np.save(tmp_path / "y.npy", Y.numpy())
    e = gu.read_pair(tmp_path / "pair.pt")
    assert torch.equal(e.gallery, Y.to(dtype).to(e.gallery.dtype))
    assert e.queries.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert torch.equal(gu.read_pair(tmp_path / "x.pt", tmp_path / "y.npy").gallery, Y)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([X.detach(), Y], "it holds a list, no tensors by their names"),
        (3.0, "it holds a float"),
        (np.ones((2, 2)), "which is never run"),
    ],
)
def test_what_holds_no_tensors_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "e.pt")
    with pytest.raises(UnreadableFile, match=rf"e\.pt is not a file of tensors.*{message}"):
        gu.read_pair(tmp_path / "e.pt")


def test_labels_that_are_no_tensor_are_told(tmp_path: Path) -> None:
    torch.save({"images": X.detach(), "texts": Y, "labels": [0] * 6}, tmp_path / "e.pt")
    with pytest.raises(ValueError, match="'labels' is a list, no tensor"):
        gu.read_pair(tmp_path / "e.pt")


@pytest.mark.parametrize(
    "read",
    [
        gu.read_pair,
        partial(gu.read_pair, "x.npy"),
        read_matrix,
        lambda path: next(iter_rows(path)),
    ],
)
def test_an_empty_path_is_not_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", Y.numpy())
    with pytest.raises(ValueError, match=r"^path: expected a file or a folder, got ''$"):
        read("")


def test_half_a_file_is_told(tmp_path: Path) -> None:
    torch.save(X, tmp_path / "e.pt")
    content = (tmp_path / "e.pt").read_bytes()
    (tmp_path / "e.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match=r"e\.pt is not a file of tensors"):
        gu.read_pair(tmp_path / "e.pt")


def test_views_that_numpy_does_not_know_are_read(tmp_path: Path) -> None:
    pair = {"queries": torch._neg_view(X.detach()), "gallery": Y.to_sparse()}
    torch.save(pair, tmp_path / "e.pt")
    e = gu.read_pair(tmp_path / "e.pt")
    assert torch.equal(e.queries, -X.detach())
    assert torch.equal(e.gallery, Y)


def test_a_number_that_was_changed_is_noticed(tmp_path: Path) -> None:
    """PyTorch itself reads it."""
    torch.save({"queries": X.detach(), "gallery": Y}, tmp_path / "e.pt")
    content = bytearray((tmp_path / "e.pt").read_bytes())
    content[content.index(Y.numpy().tobytes()) + 3] ^= 64
    (tmp_path / "e.pt").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"e\.pt is not .* the checksum of 'e/data/0'"):
        gu.read_pair(tmp_path / "e.pt")


def test_a_saved_closing_is_no_side(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(6, 4))
    closing = gu.MeanShift(n_components=2).fit(rows, rows[:4])
    np.save(tmp_path / "gallery.npy", rows)
    path = closing.save(tmp_path / "closing.safetensors")
    with pytest.raises(ValueError, match=r"expected embeddings, got a saved closing, MeanShift"):
        gu.read_pair(path, tmp_path / "gallery.npy")
