"""Caption templates: those `tiny-openmoji` was trained with, and paraphrases it never saw.

The paraphrases were written before any model was scored on them, and no training reads them.
"""

from __future__ import annotations

from typing import Any

from gaputils._checks import _typed
from gaputils.datasets._words import words

SEEN: tuple[str, ...] = (
    "{}",
    "a {}.",
    "the {}.",
    "a photo of a {}.",
    "a photo of the {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a drawing of a {}.",
    "a painting of the {}.",
    "an emoji of a {}.",
    "an icon of a {}.",
    "a symbol for {}.",
    "a cartoon {}.",
    "a sticker of a {}.",
    "this is a {}.",
    "a small {}.",
)

UNSEEN: tuple[str, ...] = (
    "a photograph of a {}.",
    "a snapshot of a {}.",
    "a close-up of a {}.",
    "a good photo of one {}.",
    "a picture showing the {}.",
    "this image shows a {}.",
    "here we see a {}.",
    "there is a {} in the image.",
    "what you see is a {}.",
    "it is a {}.",
    "look, a {}!",
    "an illustration of a {}.",
    "a sketch of a {}.",
    "a rendering of a {}.",
    "a depiction of the {}.",
    "a graphic with a {}.",
    "a pictogram of a {}.",
    "an artwork of a {}.",
    "someone drew a {}.",
    "the emoji for {}.",
    "a logo of a {}.",
    "my {}.",
    "one {}.",
    "a colourful {}.",
)


def fill(template: str, name: str) -> str:
    """`template` with `name` in the place of its one ``{}``.

    Raises `TypeError` unless both are texts and `ValueError` if the template has not exactly one
    ``{}``.
    """
    for argument, value in (("template", template), ("name", name)):
        if not isinstance(value, str):
            raise TypeError(f"{argument}: expected a text, got {_typed(value)}")
    _require_one_place("template", template)
    return template.replace("{}", name)


def as_templates(value: Any, name: str = "templates") -> tuple[str, ...]:
    """`value`, one template or several, as a tuple; errors call it `name`."""
    found = words(name, [value] if isinstance(value, str) else value, "template")
    for template in found:
        _require_one_place(name, template)
    return tuple(found)


def _require_one_place(name: str, template: str) -> None:
    if template.count("{}") != 1:
        raise ValueError(f"{name}: expected exactly one '{{}}', got {template!r}")
