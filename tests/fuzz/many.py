"""A million damaged files: `python tests/fuzz/many.py --damages 1000000 --seed 0 --failed FOLDER`.

Each is made of the seed, the reader's name and its number, so that one can be made again. Prints
how many each reader took, refused and failed at; keeps each failing file in the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))


from formats import FORMATS
from grammars import RUN
from test_readers import try_out

_AT_ONCE, _KEPT = 1000, 20
_RUNS = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.fork", "socket.connect"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failed", type=Path, default=Path(tempfile.gettempdir()) / "failed")
    parser.add_argument("--only", nargs="*", default=list(FORMATS))
    parser.add_argument("--minutes", type=float, default=1e9)
    given = parser.parse_args()
    given.failed.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore")
    _report(given, _rounds(given))


def _rounds(given: argparse.Namespace) -> Iterator[tuple[str, Counter[str], float]]:
    """The counts of every reader, a thousand damages further each time it comes."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    end, done = time.monotonic() + 60 * given.minutes, dict.fromkeys(given.only, 0)
    each = -(-given.damages // len(given.only))
    with tempfile.TemporaryDirectory(dir=shared) as scratch:
        os.chdir(scratch)
        whole = {}
        for number, name in enumerate(given.only):
            folder = Path(scratch) / f"whole{number}"
            folder.mkdir()
            path = FORMATS[name].make(folder)
            # What a library does when imported is not the file's doing.
            vouched = FORMATS[name].vouched(FORMATS[name].read(path))
            whole[name] = path, path.read_bytes(), vouched
        sys.addaudithook(_refuse_to_run)
        while any(count < each for count in done.values()):
            for name, (path, content, vouched) in whole.items():
                numbers = range(done[name], min(each, done[name] + _AT_ONCE))
                started, counts = time.monotonic(), Counter[str]()
                for number in numbers:
                    counts[_outcome(given, name, number, path, content, vouched)] += 1
                done[name] = numbers.stop
                yield name, counts, time.monotonic() - started
                if time.monotonic() > end:
                    return


def _outcome(
    given: argparse.Namespace, name: str, number: int, path: Path, content: bytes, vouched: Any
) -> str:
    random = Random(f"{given.seed} {name} {number}")
    spoilt, must_show = FORMATS[name].damaged(random, content)
    try:
        refused = try_out(FORMATS[name], path, spoilt, vouched if must_show else None)
        assert not Path(RUN).exists(), "the file was run"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        stem = f"{name.replace(' ', '_')}-{type(error).__name__}"
        if len(list(given.failed.glob(f"{stem}*.txt"))) < _KEPT:
            kept = given.failed / f"{stem}-{given.seed}-{number}"
            kept.with_suffix(".bin").write_bytes(spoilt)
            kept.with_suffix(".txt").write_text(traceback.format_exc())
        return "failed"
    return "refused" if refused else "read"


def _report(given: argparse.Namespace, rounds: Iterator[tuple[str, Counter[str], float]]) -> None:
    totals: dict[str, Counter[str]] = {name: Counter() for name in given.only}
    seconds: Counter[str] = Counter()
    for name, counts, some in rounds:
        totals[name].update(counts)
        seconds[name] += some
        rows = {
            key: {**value, "damages": value.total(), "seconds": round(seconds[key], 1)}
            for key, value in totals.items()
        }
        (given.failed / "counts.json").write_text(json.dumps(rows, indent=1))
    print(json.dumps(rows, indent=1))
    print(sum(value.total() for value in totals.values()), "damages")


def _refuse_to_run(event: str, _: Any) -> None:
    if event in _RUNS:
        raise SystemExit(f"the file asked for {event}")


if __name__ == "__main__":
    main()
