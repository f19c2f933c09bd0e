"""CIFAR in archives of its full size, and a hub that its own library takes for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import gaputils as gu
from rehearsal import data
from rehearsal.hub import Hub, serving, sha256

ASK = """
import json, sys
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url
api = HfApi()
info, tree = api.model_info("one/model"), list(api.list_repo_tree("one/model"))
about = get_hf_file_metadata(hf_hub_url("one/model", "w.bin"))
path = hf_hub_download("one/model", "w.bin")
print(json.dumps([info.sha, [one.path for one in tree], about.etag, about.size, about.commit_hash,
                  about.location, path]))
"""


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A hub with one large file and one small one."""
    made = Hub()
    for name, content in (("w.bin", bytes(range(256)) * 40), ("c.json", b"{}")):
        (tmp_path / name).write_bytes(content)
        made.add("one/model", name, tmp_path / name)
    made.plain["host/w.bin"] = tmp_path / "w.bin"
    return made


@pytest.mark.slow
def test_the_hubs_own_library_takes_it_for_a_hub(hub: Hub, tmp_path: Path) -> None:
    with serving(hub):
        named = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-c", ASK]
        done = subprocess.run(
            command, env={**os.environ, **named}, check=True, stdout=subprocess.PIPE
        )
        sha, names, etag, size, commit, location, path = json.loads(done.stdout)
    assert sha == commit == hub.commit("one/model")
    assert names == ["c.json", "w.bin"]
    assert etag == sha256(tmp_path / "w.bin")
    assert size == 10240
    assert location.endswith("/large/one/model/w.bin")
    assert hub.url not in location, "large files come from another host"
    assert Path(path).read_bytes() == (tmp_path / "w.bin").read_bytes()


def test_a_part_can_be_asked_for(hub: Hub) -> None:
    with serving(hub):
        asked = Request(f"{hub.url}/mirror/any/host/w.bin", headers={"Range": "bytes=250-259"})
        with urlopen(asked) as answer:
            assert answer.status == 206
            assert answer.headers["Content-Range"] == "bytes 250-259/10240"
            assert answer.read() == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])


@pytest.mark.nightly
@pytest.mark.parametrize("place", data.CIFAR)
def test_cifar_at_its_full_size(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Hub()
    made.plain[place] = data.write_cifar(place, tmp_path / "served.tar.gz", 10_000)
    assert made.plain[place].stat().st_size > 160e6
    (tmp_path / "SHA256SUMS").write_text(f"{sha256(made.plain[place])}  {place}\n")
    monkeypatch.setenv("GAPUTILS_MIRROR_CHECKSUMS", str(tmp_path / "SHA256SUMS"))
    name = "cifar100" if "100" in place else "cifar10"
    with serving(made):
        monkeypatch.setenv("GAPUTILS_MIRROR", f"{made.url}/mirror/any")
        test = gu.datasets.load(name, tmp_path / "here", download=True)
    train = gu.datasets.load(name, tmp_path / "here", "train")
    assert (len(test.images), len(train.images)) == (10_000, 50_000)
    assert len(test.class_names) == len(set(train.targets.tolist())) == (100, 10)[name == "cifar10"]
    assert test.images[9_999].size == (32, 32)
