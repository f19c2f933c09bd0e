"""Pre-rendered pictures with controls that need neither a kernel nor a library.

The controls are a browser's own slider and menu: they work by keyboard, by mouse and by touch,
tell a screen reader their value and what the new picture shows, and are left out on paper, where
the first picture remains.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import Any

from gaputils._checks import choice
from gaputils.pages.explorer.pictures import Picture, picture, png

_NUMBER = count(1)

# Runs in the browser whenever a control of the fieldset moves.
_MOVE = """
let k = 0;
for (const c of this.querySelectorAll('[data-stride]')) {
  k += c.value * c.dataset.stride;
  if (c.type === 'range') {
    const told = JSON.parse(c.dataset.labels)[c.value];
    c.setAttribute('aria-valuetext', told);
    c.nextElementSibling.value = told;
  }
}
const all = this.parentElement.querySelectorAll('.gu-stage img');
all.forEach((g, i) => { g.hidden = i !== k; });
this.parentElement.querySelector('[aria-live]').textContent = all[k].alt;
"""


@dataclass(frozen=True)
class Control:
    """A named choice between labelled values, as a "slider" or a "dropdown"."""

    name: str
    labels: tuple[str, ...]
    kind: str = "slider"
    start: int = 0

    def __post_init__(self) -> None:
        choice("control", self.kind, ("slider", "dropdown"))
        if len(self.labels) < 2:
            raise ValueError(f"labels: expected at least two for {self.name!r}, got {self.labels}")
        if not 0 <= self.start < len(self.labels):
            raise ValueError(
                f"start: expected 0 to {len(self.labels) - 1} for {self.name!r}, got {self.start}"
            )

    def html(self, stride: int, number: int) -> str:
        """The control; moving it by one moves the picture's place by `stride`."""
        key = f"gu-control-{number}"
        label = f'<label for="{key}">{escape(self.name)}</label>'
        if self.kind == "dropdown":
            options = "".join(
                f'<option value="{i}"{" selected" if i == self.start else ""}>{escape(x)}</option>'
                for i, x in enumerate(self.labels)
            )
            body = (
                f'<select id="{key}" data-stride="{stride}" autocomplete="off">{options}</select>'
            )
            return f'<div class="gu-control">{label}{body}</div>'
        told = escape(self.labels[self.start])
        body = (
            f'<input type="range" id="{key}" min="0" max="{len(self.labels) - 1}" step="1" '
            f'value="{self.start}" autocomplete="off" data-stride="{stride}" '
            f'data-labels="{escape(json.dumps(self.labels, ensure_ascii=False))}" '
            f'aria-valuetext="{told}"><output for="{key}">{told}</output>'
        )
        return f'<div class="gu-control">{label}{body}</div>'


@dataclass(frozen=True, repr=False)
class Frames:
    """Pictures in the order of the controls' values, the last control moving fastest."""

    pictures: tuple[Picture, ...]
    controls: tuple[Control, ...]
    description: str

    def __post_init__(self) -> None:
        wanted = math.prod(len(c.labels) for c in self.controls)
        if len(self.pictures) != wanted:
            raise ValueError(
                f"figures: expected one for each of the {wanted} settings of the controls, "
                f"got {len(self.pictures)}"
            )

    def __repr__(self) -> str:
        return f"Frames({self.description!r}, {len(self.pictures)} pictures)"

    @property
    def strides(self) -> list[int]:
        """How far apart the pictures of a control's neighbouring values lie."""
        sizes = [len(c.labels) for c in self.controls]
        return [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]

    @property
    def start(self) -> int:
        """The place of the picture that is shown first."""
        return sum(c.start * s for c, s in zip(self.controls, self.strides, strict=True))

    def _repr_html_(self) -> str:
        controls = "".join(
            c.html(s, next(_NUMBER)) for c, s in zip(self.controls, self.strides, strict=True)
        )
        images = "".join(
            f'<img src="{p.uri}" alt="{escape(p.alt)}" width="{p.size[0]}" height="{p.size[1]}" '
            f'style="max-width:100%;height:auto"{"" if i == self.start else " hidden"}>'
            for i, p in enumerate(self.pictures)
        )
        move = escape(" ".join(_MOVE.split()))
        told = escape(self.description)
        return (
            f'<div class="gu-frames" role="group" aria-label="{told}">'
            f'<fieldset oninput="{move}">{controls}</fieldset>'
            f'<div class="gu-stage">{images}</div>'
            '<p class="visually-hidden" aria-live="polite"></p></div>'
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "image/png": png(self.pictures[self.start])}


def frames(
    figures: Sequence[Any],
    labels: Sequence[str],
    control: str = "slider",
    *,
    description: str,
    alt: str | Sequence[str],
) -> Frames:
    """One picture for each of `labels`, chosen by a "slider" or a "dropdown" named `description`.

    `figures` are matplotlib figures or axes, PIL images or encoded bytes; `alt` describes them,
    one text for all or one for each. Raises `ValueError` if the numbers differ.
    """
    figures, names = list(figures), [str(x) for x in labels]
    if len(figures) != len(names):
        raise ValueError(f"labels: expected {len(figures)}, one a figure, got {len(names)}")
    texts = [f"{alt} ({description}: {x})" for x in names] if isinstance(alt, str) else list(alt)
    if len(texts) != len(figures):
        raise ValueError(f"alt: expected one text or {len(figures)}, got {len(texts)}")
    pictures = tuple(picture(f, t) for f, t in zip(figures, texts, strict=True))
    return Frames(pictures, (Control(description, tuple(names), control),), description)
