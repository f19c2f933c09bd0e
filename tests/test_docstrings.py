"""The examples in the docstrings run, and the names that users meet first have one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

import gaputils

USED_MOST = (
    "Centering",
    "Embeddings",
    "GapStatistics",
    "GaussianNoise",
    "HullProjection",
    "MeanShift",
    "NaiveShift",
    "UniformQuantization",
    "accuracy_under_noise",
    "compare_closings",
    "datasets.load",
    "embed",
    "gap_vector",
    "load_model",
    "measure_gap",
    "report",
    "retrieval",
    "robustness",
    "robustness_curve",
    "theory.contrastive_loss",
    "theory.gradient",
    "theory.simulate",
    "zero_shot",
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> Iterator[ModuleType]:
    """Every module of the package."""
    for found in pkgutil.walk_packages(gaputils.__path__, "gaputils."):
        yield importlib.import_module(found.name)


def examples() -> list[doctest.DocTest]:
    """Every docstring of the package that shows an example."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [test for module in modules() for test in finder.find(module) if test.examples]


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name.removeprefix("gaputils."))
def test_examples_run(test: doctest.DocTest) -> None:
    told: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", USED_MOST)
def test_what_users_meet_first_has_an_example_with_output(name: str) -> None:
    thing: object = gaputils
    for part in name.split("."):
        thing = getattr(thing, part)
    shown = doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")
    assert any(example.want for example in shown)
