"""Damaged files: read, or refused in one line that names the file or the argument."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from formats import FORMATS, Format

Wholes = dict[str, tuple[Path, bytes, Any]]
FEW, MANY = 8, int(os.environ.get("GAPUTILS_FUZZ", "1000"))
_NAMES = ("queries", "gallery", "targets", "owners", "grid", "path", "dataset", "split")
_DATASETS = ("imagefolder", "webdataset", "coco", "flickr30k", "aokvqa", "cifar10")
_ARGUMENT = re.compile(rf"^({'|'.join((*_NAMES, *_DATASETS))}): ")
_SLOW = 20.0
CORPUS = json.loads(Path(__file__).with_name("corpus.json").read_text(encoding="utf-8"))

pytestmark = pytest.mark.filterwarnings("ignore")


def try_out(kind: Format, path: Path, content: bytes, vouched: Any = None) -> bool:
    """Read `content` in the place of the whole file; whether it was refused.

    What is read must have `vouched` in it, if that is given.
    """
    path.write_bytes(content)
    started = time.monotonic()
    refused = _refusal(kind, path, vouched)
    if refused is not None:
        message = str(refused)
        named = path.name in message or path.parent.name in message
        assert named or _ARGUMENT.match(message), f"{type(refused).__name__}: {message}"
        ours = "gaputils" in _origin(refused)
        assert ours or isinstance(refused, OSError), f"{type(refused).__name__}: {message}"
    assert time.monotonic() - started < _SLOW
    return refused is not None


def _refusal(kind: Format, path: Path, vouched: Any) -> Exception | None:
    try:
        found = kind.read(path)
    except (ValueError, TypeError, OSError) as error:
        return error
    assert vouched is None or kind.vouched(found) == vouched, "another value, without a word"
    return None


def _origin(error: BaseException) -> str:
    """The file in which `error` was raised."""
    trace = error.__traceback__
    assert trace is not None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Wholes:
    """A whole file of each format, its bytes, and what its checksums vouch for."""
    found = {}
    for name, kind in FORMATS.items():
        path = kind.make(tmp_path_factory.mktemp("whole"))
        found[name] = path, path.read_bytes(), kind.vouched(kind.read(path))
    return found


def _check(name: str, whole: Wholes, random: Random) -> None:
    path, content, vouched = whole[name]
    spoilt, must_show = FORMATS[name].damaged(random, content)
    try_out(FORMATS[name], path, spoilt, vouched if must_show else None)


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_is_read(name: str, whole) -> None:
    path, content, _ = whole[name]
    path.write_bytes(content)
    FORMATS[name].read(path)


_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=FEW, **_SETTINGS)
@given(random=st.randoms(use_true_random=False))
def test_a_damaged_file_is_read_or_refused_by_name(name: str, whole, random: Random) -> None:
    _check(name, whole, random)


@pytest.mark.nightly
@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=MANY, **_SETTINGS)
@given(random=st.randoms(use_true_random=False))
def test_many_damaged_files_are_read_or_refused_by_name(name: str, whole, random: Random) -> None:
    _check(name, whole, random)


@pytest.mark.parametrize("found", CORPUS, ids=lambda found: f"{found['reader']}: {found['what']}")
def test_what_was_once_found_is_refused_by_name(found: dict[str, str], whole) -> None:
    path, *_ = whole[found["reader"]]
    assert try_out(FORMATS[found["reader"]], path, base64.b64decode(found["content"]))
