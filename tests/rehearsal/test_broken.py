"""Servers that fail: one error each, with address and remedy, no half file; then all is well."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rehearsal import checkpoints, data, small
from rehearsal.hub import Fault, Hub, serving, sha256

HERE = Path(__file__).parent
ARCHIVE = next(iter(data.CIFAR))
HF = "models--rehearsal--"
WEIGHTS = "large/rehearsal/{0}/open_clip_model.safetensors"
HEAD = "HEAD /rehearsal/{0}/resolve/main/open_clip_model.safetensors"
# Case: the requests that fail, how, and what the error says beside the address.
MODELS: dict[str, tuple[str, str, str]] = {
    "nowhere": ("", "", "401 .*no such repository, or it asks for a token"),
    "weights-gone": (f"GET /{WEIGHTS}", "404", "404"),
    "too-many": (HEAD, "429", r"429 .*wait 1 s"),
    "too-many-bytes": (f"GET /{WEIGHTS}", "429", r"429 .*wait 1 s"),
    "server-error": (HEAD, "500", "500"),
    "server-error-bytes": (f"GET /{WEIGHTS}", "500", "500"),
    "truncated": (f"GET /{WEIGHTS}", "truncated", "peer closed connection|should be of size"),
    "garbled": (f"GET /{WEIGHTS}", "garbled", "not the file that the server announced"),
    "changed": (f"GET /{WEIGHTS}", "changed", "should be of size"),
    "config-garbled": (
        "GET /rehearsal/{0}/resolve/main/open_clip_config.json",
        "garbled",
        "not the file that the server announced",
    ),
    "hanging": (HEAD, "hang", "timed out"),
    "hanging-bytes": (f"GET /{WEIGHTS}", "hang", "timed out"),
    "tokenizer-error": ("/rehearsal/{0}-tokenizer/", "500", "500|connect"),
    "tokenizer-garbled": (
        "GET .*/rehearsal/{0}-tokenizer/.*tokenizer.json",
        "garbled",
        "tokenizer",
    ),
}
DATA = {
    "data-gone": ("404", "404 Client Error"),
    "data-too-many": ("429", r"429 .*wait 1 s"),
    "data-server-error": ("500", "500 Server Error"),
    "data-truncated": ("truncated", "IncompleteRead|Connection broken|hash"),
    "data-garbled": ("garbled", "hash .* does not match"),
    "data-changed": ("changed", "hash .* does not match"),
    "data-hanging": ("hang", "timed out"),
}
SLOW = ("slow-model", "data-slow")
ALL = (*MODELS, *DATA, *SLOW)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What one process was told that met every fault in turn."""
    folder = tmp_path_factory.mktemp("broken")
    hub = Hub()
    cases: dict[str, dict[str, str]] = {}
    config = small.shrunk(small.open_clip.get_model_config("ViT-B-32"))
    files = checkpoints.write_repository(folder / "plain", config)
    for case in (*MODELS, SLOW[0]):
        own = files
        if case.startswith("tokenizer"):
            named = {**config["text_cfg"], "hf_tokenizer_name": f"rehearsal/{case}-tokenizer"}
            own = checkpoints.write_repository(folder / case, {**config, "text_cfg": named})
            for path in checkpoints.write_tokenizer(folder / f"{case}-tokenizer", 2_000):
                hub.add(f"rehearsal/{case}-tokenizer", path.name, path)
        if case != "nowhere":
            for name, path in own.items():
                hub.add(f"rehearsal/{case}", name, path)
        kept = str(folder / "hf" / "hub" / f"{HF}{case}")
        cases[case] = {"kind": "model", "name": f"hf-hub:rehearsal/{case}", "folder": kept}
    hub.plain[ARCHIVE] = data.write_cifar(ARCHIVE, folder / "cifar.tar.gz", 40)
    listed = folder / "SHA256SUMS"
    listed.write_text(f"{sha256(hub.plain[ARCHIVE])}  {ARCHIVE}\n")
    for case in (*DATA, SLOW[1]):
        cases[case] = {"kind": "data", "name": "cifar10", "folder": str(folder / case)}
    faults = {case: (where.format(case), kind) for case, (where, kind, _) in MODELS.items() if kind}
    faults |= {case: (f"GET /mirror/{case}/", kind) for case, (kind, _) in DATA.items()}
    faults[SLOW[0]] = (f"GET /{WEIGHTS.format(SLOW[0])}", "slow")
    faults[SLOW[1]] = (f"GET /mirror/{SLOW[1]}/", "slow")
    hub.faults = [Fault(case, where, kind) for case, (where, kind) in faults.items()]
    (folder / "cases.json").write_text(json.dumps(cases))
    with serving(hub):
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "HF_HUB_ETAG_TIMEOUT": "2",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "GAPUTILS_MIRROR_CHECKSUMS": str(listed),
            "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
        }
        command = [sys.executable, str(HERE / "broken.py"), str(folder / "cases.json")]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        yield {"url": hub.url, **json.loads((folder / "cases.told.json").read_text())}


pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("case", MODELS)
def test_a_broken_hub_gives_one_error_with_address_and_remedy(case: str, told: Any) -> None:
    kind, message = told[case]["first"]
    assert kind == "DataUnavailable", message
    assert f"rehearsal/{case}" in message
    if not case.startswith("tokenizer"):
        assert told["url"] in message
        assert "HF_ENDPOINT names another server" in message
        assert "download its files into a folder" in message
    assert_says(MODELS[case][2], message)


@pytest.mark.parametrize("case", DATA)
def test_a_broken_mirror_gives_one_error_with_address_and_remedy(case: str, told: Any) -> None:
    kind, message = told[case]["first"]
    assert kind == "DataUnavailable", message
    assert f"{told['url']}/mirror/{case}/{ARCHIVE}" in message
    assert "GAPUTILS_MIRROR" in message
    assert "pass root=" in message
    assert_says(DATA[case][1], message)


@pytest.mark.parametrize("case", ALL)
def test_nothing_half_is_left(case: str, told: Any) -> None:
    whole = set(told[case]["kept"].items())
    assert set(told[case]["left"].items()) <= whole, "what was left is a part of no good run"
    assert not [name for name in told[case]["left"] if "incomplete" in name or "tmp" in name]


@pytest.mark.parametrize("case", [case for case in ALL if case != "nowhere"])
def test_a_later_good_run_succeeds(case: str, told: Any) -> None:
    assert told[case]["second"] == ["", ""]


@pytest.mark.parametrize("case", SLOW)
def test_a_slow_server_is_waited_for(case: str, told: Any) -> None:
    assert told[case]["first"] == ["", ""]


def assert_says(pattern: str, message: str) -> None:
    """Fail unless `message` is short and matches `pattern`."""
    assert re.search(pattern, message), message
    assert len(message) < 1500, message
