"""The closings by name: complete, and each fitted on what its definition asks for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from closing.helpers import sides
from gaputils import closing
from gaputils.closing.catalogue import close, copy, fit, fit_all, standard_closings
from gaputils.closing.on_hull import comparing

NAMED = {name: one for name, one in standard_closings().items() if one is not None}
OF_THE_PACKAGE = set(closing.registered()) & set(closing.__all__)


def test_every_closing_of_two_sides_has_its_one_name() -> None:
    named = {type(one).__name__ for one in standard_closings().values() if one is not None}
    missing = OF_THE_PACKAGE - named - {"MixedGallery"}
    assert not missing, f"say what {sorted(missing)} are `called`"


def test_every_closing_is_a_name_of_the_package() -> None:
    missing = OF_THE_PACKAGE - set(gu.__all__)
    assert not missing, f"run `make stubs`, which lists {sorted(missing)} in gaputils/__init__.pyi"


def test_the_names_are_the_original_the_kinds_and_their_variants() -> None:
    assert list(standard_closings()) == ["original", *NAMED]
    assert standard_closings()["original"] is None
    for kind in {type(one) for one in NAMED.values()}:
        assert NAMED[kind.called].get_params() == kind().get_params()
        for variant, parameters in kind.variants.items():
            found = NAMED[f"{kind.called}, {variant}"]
            assert type(found) is kind
            assert parameters.items() <= found.get_params().items()


def task(seed: int) -> gu.Embeddings:
    """Eight queries that search twelve items, and not in their order."""
    queries, gallery = sides(8, 12, 5, seed)
    targets = torch.tensor(np.random.default_rng(seed).permutation(12)[:8])
    return gu.Embeddings(queries, gallery, targets, {"seed": seed})


@pytest.mark.parametrize("calibration", [None, task(1)], ids=["alone", "calibrated"])
@pytest.mark.parametrize("name", NAMED)
def test_each_is_fitted_on_what_its_definition_asks_for(
    name: str, calibration: gu.Embeddings | None
) -> None:
    """Means, reference queries and pairs may be others' than those that are searched."""
    closing, e = NAMED[name], task(0)
    asked = closing.calibrated and calibration is not None
    source = calibration if asked and calibration is not None else e
    assert source.targets is not None
    gallery = source.gallery[source.targets] if closing.needs_pairs else source.gallery
    with comparing():
        expected = copy(closing).fit(source.queries, gallery).transform(e.queries, e.gallery)
        fresh = fit(copy(closing), e, calibration)
        alone, among = close(closing, e, calibration), fit_all({name: closing}, e, calibration)
        again = among[name]
        assert again is not None
        for found in (
            fresh.transform(e.queries, e.gallery),
            (alone.queries, alone.gallery),
            again.transform(e.queries, e.gallery),
        ):
            assert all(map(torch.equal, found, expected))
    assert not hasattr(closing, "dim_")


def test_what_is_closed_keeps_its_targets_and_a_copy_of_its_info() -> None:
    e = task(0)
    found = close(gu.MeanShift(n_components=2), e)
    assert found.targets is not None
    assert e.targets is not None
    assert torch.equal(found.targets, e.targets)
    assert found.info == {"seed": 0}
    assert found.info is not e.info
    assert close(None, e) is e
    assert fit_all({"original": None}, e) == {"original": None}
