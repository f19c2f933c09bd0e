"""Caption templates: those `tiny-openmoji` was trained with, and paraphrases it never saw.

The paraphrases were written before any model was scored on them, and no training reads them.
"""

from __future__ import annotations

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

    Raises `ValueError` if the template has not exactly one ``{}``.
    """
    if template.count("{}") != 1:
        raise ValueError(f"template: expected exactly one '{{}}', got {template!r}")
    return template.replace("{}", name)
