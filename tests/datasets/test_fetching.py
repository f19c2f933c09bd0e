"""Files from a mirror: the published checksum holds, unless a list on this machine is named."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import gaputils as gu
from gaputils.datasets import DataUnavailable
from gaputils.datasets._fetching import CHECKSUMS, MIRROR
from rehearsal import data
from rehearsal.hub import Fault, Hub, serving, sha256

PLACE = next(iter(data.CIFAR))


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A mirror that has CIFAR-10 with other images."""
    hub = Hub()
    hub.plain[PLACE] = data.write_cifar(PLACE, tmp_path / "served.tar.gz", 3)
    with serving(hub):
        monkeypatch.setenv(MIRROR, f"{hub.url}/mirror/here/")
        yield hub


@pytest.fixture
def listed(mirror: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list of the mirror's own checksums."""
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{sha256(mirror.plain[PLACE])}  {PLACE}\n")
    monkeypatch.setenv(CHECKSUMS, str(path))
    return path


def fetched(mirror: Hub) -> int:
    return sum(PLACE in request for request in mirror.requests)


def test_a_mirror_is_held_to_the_published_checksum(mirror: Hub, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"not the published file \(MD5 c58f30.*does not mat"):
        gu.datasets.load("cifar10", tmp_path / "here", download=True)
    assert fetched(mirror) == 1
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.usefixtures("listed")
def test_a_list_of_ones_own_is_believed_and_said(mirror: Hub, tmp_path: Path) -> None:
    for _ in range(2):
        found = gu.datasets.load("cifar10", tmp_path / "here", download=True)
        assert len(found.images) == 3
        assert found.info["as_published"] is False
    assert fetched(mirror) == 1, "what is there is not fetched again"
    (tmp_path / "usual").touch()
    (kept,) = (tmp_path / "here").glob("*.tar.gz")
    assert kept.stat().st_mode == (tmp_path / "usual").stat().st_mode, "others may read it, too"


@pytest.mark.usefixtures("listed")
def test_what_was_cut_short_is_unpacked_again(mirror: Hub, tmp_path: Path) -> None:
    root = tmp_path / "cifar-10-batches-py"
    gu.datasets.load("cifar10", root, download=True)
    (root / "test_batch").unlink()
    (root / "data_batch_1").write_bytes(pickle.dumps({})[:5])
    assert len(gu.datasets.load("cifar10", root, "train", download=True).images) == 15
    assert fetched(mirror) == 1


def test_a_list_of_another_file_changes_nothing(mirror: Hub, listed: Path, tmp_path: Path) -> None:
    listed.write_text(f"{sha256(mirror.plain[PLACE])}  another/file.tar.gz\n")
    with pytest.raises(DataUnavailable, match="MD5 c58f30"):
        gu.datasets.load("cifar10", tmp_path / "here", download=True)


def test_a_server_that_wants_to_be_left_alone_says_for_how_long(
    mirror: Hub, tmp_path: Path
) -> None:
    mirror.faults = [Fault("busy", "GET", "429")]
    with pytest.raises(DataUnavailable, match=r"429.*\(the server asks to wait 1 s\)"):
        gu.datasets.load("cifar10", tmp_path / "here", download=True)


@pytest.mark.parametrize(
    ("named", "content", "message"),
    [
        ({MIRROR: ""}, "", f"{CHECKSUMS}: it tells of a mirror's files, and {MIRROR} names no"),
        ({MIRROR: "ftp://here"}, "", f"{MIRROR}: expected an address http://"),
        ({MIRROR: "https://"}, "", f"{MIRROR}: expected an address http://"),
        ({}, "abc  file\n", r"SHA256SUMS: line 1: expected a SHA-256, two spaces and a name"),
        ({}, f"{'a' * 64}  one\n\n", r"SHA256SUMS: line 2: expected a SHA-256"),
    ],
)
def test_what_names_no_mirror_is_refused(
    named: dict[str, str],
    content: str,
    message: str,
    listed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed.write_text(content)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        gu.datasets.load("cifar10", tmp_path / "here", download=True)
    assert not (tmp_path / "here").exists()
