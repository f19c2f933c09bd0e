"""Put what `make bench` measured into the table that the package ships.

    python tools/record_benchmarks.py _build/benchmarks.json gaputils/data/benchmarks.csv

Rows of the same quantity and machine, which is the one that measured, are replaced and others stay:
runs on several machines add up.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from gaputils._files import replacing

KEY = ["quantity", "machine"]
COLUMNS = ["quantity", "value", "low", "high", "unit", "machine"]


def measured(report: dict[str, Any]) -> pd.DataFrame:
    """The recorded quantities of a pytest-benchmark report, a row each, with their machine."""
    rows = [
        kept
        for benchmark in report["benchmarks"]
        for kept in benchmark["extra_info"].get("recorded", [])
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def main(source: str, target: str) -> None:
    """Merge the report at `source` into the table at `target`."""
    new = measured(json.loads(Path(source).read_text(encoding="utf-8")))
    if new.empty:
        raise SystemExit(f"{source}: no recorded quantity in it")
    path = Path(target)
    old = pd.read_csv(path) if path.exists() else new.iloc[:0]
    kept = old[~old.set_index(KEY).index.isin(new.set_index(KEY).index)]
    table = pd.concat([kept, new]) if len(kept) else new
    with replacing(path) as part:
        table.to_csv(part, index=False, float_format="%.4g")


if __name__ == "__main__":
    main(*sys.argv[1:])
