"""Templates: each takes one name, read the same whatever is in the name."""

from __future__ import annotations

from typing import Any

import pytest

from gaputils.datasets.templates import SEEN, UNSEEN, fill


@pytest.mark.parametrize("name", ["cat", "{}", "{0} %s \\1", ""])
def test_a_name_stands_in_its_place_as_it_is(name: str) -> None:
    for template in (*SEEN, *UNSEEN):
        before, after = template.split("{}")
        assert fill(template, name) == before + name + after


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "a {name}"])
def test_a_template_with_no_place_or_two_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"^template: expected exactly one '\{\}'"):
        fill(template, "cat")


@pytest.mark.parametrize("bad", [None, b"a {}", float("nan"), str.upper])
def test_what_is_no_text_is_named(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^template: expected a text"):
        fill(bad, "cat")
    with pytest.raises(TypeError, match=r"^name: expected a text"):
        fill("a {}", bad)


def test_no_two_templates_differ_in_their_ends_alone() -> None:
    """Paraphrases that training has not seen are other words, not other stops."""
    plain = [template.lower().strip(" .!,") for template in SEEN]
    assert not {template.lower().strip(" .!,") for template in UNSEEN} & set(plain)
