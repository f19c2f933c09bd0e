"""One process that fetches from broken servers, then from good ones: what it was told each time.

python broken.py CASES.json: each case has a `kind` ("model" or "data"), the `name` to load, and the
`folder` that its files are kept in. Writes for each the error of a first try, the files that it
left, and the outcome of a second one, before which ``/mend`` makes the server whole.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from huggingface_hub import file_download

import gaputils as gu
from gaputils.datasets import _fetching


def attempt(case: dict[str, Any]) -> tuple[str, str]:
    """The kind and the text of the error, both empty if all went well."""
    try:
        if case["kind"] == "model":
            gu.load_model(case["name"], device="cpu")
        else:
            gu.datasets.load("cifar10", case["folder"], download=True)
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


def files(folder: Path) -> dict[str, int]:
    """Every file below `folder` that has content, links aside, and its size."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): path.stat().st_size for path in found}


def main(cases: Path) -> None:
    """Try every case and write beside it what came."""
    # How long both libraries wait for a server that says nothing: the hub's asks six times, up to
    # a minute each, which no variable shortens.
    _fetching.TIMEOUT = file_download._ETAG_RETRY_TIMEOUT = 2
    told = {}
    for name, case in json.loads(cases.read_text()).items():
        os.environ["GAPUTILS_MIRROR"] = f"{os.environ['HF_ENDPOINT']}/mirror/{name}"
        started = time.perf_counter()
        first = attempt(case)
        seconds = time.perf_counter() - started
        left = files(Path(case["folder"]))
        with urlopen(f"{os.environ['HF_ENDPOINT']}/mend/{name}") as answer:
            answer.read()
        told[name] = {"first": first, "seconds": seconds, "left": left, "second": attempt(case)}
        told[name]["kept"] = files(Path(case["folder"]))
        cases.with_suffix(".told.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
