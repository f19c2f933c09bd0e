"""The closings by name: complete, and each fitted on what its definition asks for."""

from __future__ import annotations

import gaputils as gu
from gaputils import closing
from gaputils.closing.catalogue import standard_closings

OF_THE_PACKAGE = set(closing.registered()) & set(closing.__all__)


def test_every_closing_of_two_sides_has_its_one_name() -> None:
    named = {type(one).__name__ for one in standard_closings().values() if one is not None}
    missing = OF_THE_PACKAGE - named - {"MixedGallery"}
    assert not missing, f"say what {sorted(missing)} are `called`"


def test_every_closing_is_a_name_of_the_package() -> None:
    missing = OF_THE_PACKAGE - set(gu.__all__)
    assert not missing, f"run `make stubs`, which lists {sorted(missing)} in gaputils/__init__.pyi"
