"""What the README says of the package's weight is what is installed here, to a tenth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import weight

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
TOLD = {
    name: float(size)
    for name, size in re.findall(r"^\| (?:`(\w+)`) \| (\d+) \|", README, re.MULTILINE)
}
OTHERS = {"book", "test", "all"}  # for who works on the repository


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    lacking = [e for e in ("faiss-cpu", "pot", "papermill", "transformers", "seaborn")
               if e not in weight.installed()]  # fmt: skip
    if lacking:
        pytest.skip(f"not all extras are installed: {', '.join(lacking)} are not")
    return weight.weights()


def test_every_extra_is_told_with_its_size(measured: dict[str, float]) -> None:
    assert TOLD.keys() == measured.keys() - OTHERS - {"core", "torch"}
    assert {name: pytest.approx(size, rel=0.1) for name, size in TOLD.items()} == {
        name: measured[name] for name in TOLD
    }


def test_the_core_stays_light(measured: dict[str, float]) -> None:
    (told,) = re.findall(r"core without PyTorch \| (\d+) \|", README)
    assert measured["core"] == pytest.approx(float(told), rel=0.1)
    assert measured["core"] < 400
    light = weight.needed(weight.PROJECT["dependencies"], without="torch")
    assert light.isdisjoint({"torch", "triton", "sympy"})
