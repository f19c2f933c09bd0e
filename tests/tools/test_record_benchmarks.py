"""What was measured keeps the name of the machine that measured it."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import record_benchmarks


def report(path: Path, *recorded: tuple[str, float, str]) -> str:
    """A file as pytest-benchmark writes it."""
    kept = [
        {"quantity": q, "value": v, "low": v, "high": v, "unit": "s", "machine": machine}
        for q, v, machine in recorded
    ]
    content = {"benchmarks": [{"extra_info": {"recorded": kept}}, {"extra_info": {}}]}
    path.write_text(json.dumps(content))
    return str(path)


def test_rows_of_several_machines_add_up(tmp_path: Path) -> None:
    table = tmp_path / "benchmarks.csv"
    one = report(tmp_path / "one.json", ("hull", 1.0, "small, 2 cores"), ("mean", 2.0, "small"))
    record_benchmarks.main(one, str(table))
    again = report(tmp_path / "again.json", ("hull", 3.0, "small, 2 cores"), ("hull", 4.0, "large"))
    record_benchmarks.main(again, str(table))
    found = pd.read_csv(table).set_index(["quantity", "machine"])["value"].to_dict()
    assert found == {
        ("mean", "small"): 2.0,
        ("hull", "small, 2 cores"): 3.0,
        ("hull", "large"): 4.0,
    }


def test_a_report_without_a_quantity_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no recorded quantity"):
        record_benchmarks.main(report(tmp_path / "none.json"), str(tmp_path / "table.csv"))
    assert not (tmp_path / "table.csv").exists()
