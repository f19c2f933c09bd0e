"""Two faces of one drawing function: live with a kernel, over pictures on the built page."""

from __future__ import annotations

import io
import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gaputils._checks import choice
from gaputils._extras import require_extra
from gaputils.pages.explorer.frames import Control, Frames
from gaputils.pages.explorer.pictures import draw, picture

FACES = ("auto", "live", "static")


def label(value: Any) -> str:
    """A control's value as its reader sees it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass
class Explorer:
    """What `explorer` returns: shows itself with the face that fits where it is shown."""

    function: Callable[..., tuple[Any, str]]
    controls: dict[str, tuple[Any, ...]]
    description: str
    names: dict[str, str] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    face: str = "auto"
    colours: int | None = 128

    def static(self) -> Frames:
        """Every setting of the controls drawn beforehand."""
        made = []
        for values in itertools.product(*self.controls.values()):
            figure, alt = self.function(**dict(zip(self.controls, values, strict=True)))
            made.append(picture(figure, alt, self.colours))
        listed = tuple(
            Control(
                self.names.get(key, key),
                tuple(map(label, values)),
                "dropdown" if isinstance(values[0], str) else "slider",
                values.index(self.start[key]) if key in self.start else 0,
            )
            for key, values in self.controls.items()
        )
        return Frames(tuple(made), listed, self.description)

    def live(self) -> Any:
        """An ipywidgets box that computes and draws anew whenever a control moves."""
        require_extra("pages", "a live explorer", "ipywidgets")
        import ipywidgets

        made = {key: self._widget(key) for key in (*self.controls, *self.extra)}
        # An `Output` would make a runner without a front end answer in the middle of a cell, by a
        # plain send that can swallow the wake-up for the cell's reply: the run then waits forever.
        shown = ipywidgets.Image(
            format="png", layout={"max_width": "100%", "object_fit": "contain"}
        )
        told = ipywidgets.HTML()

        def redraw(_: Any = None) -> None:
            began = time.perf_counter()
            figure, alt = self.function(**{key: w.value for key, w in made.items()})
            drawn = draw(figure)
            took = time.perf_counter() - began
            encoded = io.BytesIO()
            drawn.save(encoded, format="PNG", compress_level=1)
            shown.value = encoded.getvalue()
            told.value = f"<p>{alt} <small>Computed and drawn in {1000 * took:.0f} ms.</small></p>"

        for widget in made.values():
            widget.observe(redraw, names="value")
        redraw()
        return ipywidgets.VBox([*made.values(), shown, told])

    def _widget(self, key: str) -> Any:
        """The live control of one argument: free where `free` says so, else its listed values."""
        import ipywidgets

        values = {**self.controls, **self.extra}[key]
        free = self.free.get(key)
        start = self.start.get(key, values[0])
        look = {"description": self.names.get(key, key), "style": {"description_width": "initial"}}
        if isinstance(free, tuple):
            low, high = free
            kind = ipywidgets.IntSlider if isinstance(start, int) else ipywidgets.FloatSlider
            step = 1 if isinstance(start, int) else (high - low) / 100
            return kind(value=start, min=low, max=high, step=step, continuous_update=False, **look)
        if free == "text":
            return ipywidgets.Combobox(value=start, options=values, continuous_update=False, **look)
        options = [(label(v), v) for v in values]
        if isinstance(values[0], str):
            return ipywidgets.Dropdown(options=options, value=start, **look)
        return ipywidgets.SelectionSlider(
            options=options, value=start, continuous_update=False, **look
        )

    def _ipython_display_(self) -> None:
        require_extra("pages", "showing an explorer", "IPython")
        from IPython.display import display

        built = os.environ.get("GAPUTILS_BOOK") == "1"
        face = ("static" if built else "live") if self.face == "auto" else self.face
        display(self.static() if face == "static" else self.live())  # type: ignore[no-untyped-call]


def explorer(
    function: Callable[..., tuple[Any, str]],
    *,
    description: str,
    names: Mapping[str, str] | None = None,
    start: Mapping[str, Any] | None = None,
    free: Mapping[str, Any] | None = None,
    extra: Mapping[str, Sequence[Any]] | None = None,
    face: str = "auto",
    colours: int | None = 128,
    **controls: Sequence[Any],
) -> Explorer:
    """An explorer of `function`, which takes the controls' values and returns a figure and its
    description in words.

    Each of `controls` lists an argument's values: strings become a menu, numbers a slider. `names`
    says what the reader calls an argument, `start` which value comes first. `face` is "static"
    (all settings drawn beforehand, no kernel needed), "live" (ipywidgets) or "auto": static while
    the book is built, else live. On the live face `free` lets an argument take any value in a
    range ``(low, high)``, or any text (``"text"``), and `extra` lists values of further arguments.
    `colours` as in `picture`.

    Raises `ValueError` if there is no control, or `start` names a value that is not listed.
    """
    choice("face", face, FACES)
    if not controls:
        raise ValueError("controls: expected at least one argument with its values, got none")
    listed = {key: tuple(values) for key, values in controls.items()}
    for key, value in (start or {}).items():
        if value not in listed.get(key, ()):
            raise ValueError(f"start: expected one of {listed.get(key)} for {key!r}, got {value!r}")
    return Explorer(
        function,
        listed,
        description,
        dict(names or {}),
        dict(start or {}),
        dict(free or {}),
        {key: tuple(values) for key, values in (extra or {}).items()},
        face,
        colours,
    )
