"""From a matplotlib figure, a PIL image or bytes to a small picture in a web page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gaputils._extras import require_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

DPI = 150
COLOURS = 128


@dataclass(frozen=True)
class Picture:
    """An encoded picture: its bytes, their type, its size in pixels and what it shows."""

    data: bytes
    mime: str
    size: tuple[int, int]
    alt: str

    @property
    def uri(self) -> str:
        """The picture as a `data:` address."""
        return f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"


def blank(width: float, height: float) -> Figure:
    """An empty figure of that many inches, known to no window and laid out by hand."""
    require_extra("plots", "drawing a figure")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("none")
    return figure


def draw(figure: Any) -> Image.Image:
    """The PIL image of a matplotlib figure (which is closed), a PIL image or encoded bytes.

    Raises `TypeError` for anything else.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    if hasattr(figure, "figure") and isinstance(figure.figure, Figure):
        figure = figure.figure
    if isinstance(figure, Figure):
        if hasattr(figure, "number"):  # it was made by pyplot, which would show it too
            import matplotlib.pyplot as plt

            plt.close(figure)
        figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        return Image.fromarray(pixels).convert("RGB")
    if isinstance(figure, bytes):
        return Image.open(io.BytesIO(figure)).convert("RGB")
    if isinstance(figure, Image.Image):
        return figure.convert("RGB")
    raise TypeError(
        f"figure: expected a matplotlib figure or axes, a PIL image or bytes, got {figure!r:.60}"
    )


def picture(figure: Any, alt: str, colours: int | None = COLOURS) -> Picture:
    """`figure` as a lossless WebP of at most `colours` colours (None: photographs, lossy)."""
    from PIL import Image

    image = draw(figure)
    buffer = io.BytesIO()
    if colours is None:
        image.save(buffer, format="WEBP", quality=82, method=6)
    else:
        reduced = image.quantize(colours, dither=Image.Dither.NONE).convert("RGB")
        reduced.save(buffer, format="WEBP", lossless=True, quality=50, method=2)
    return Picture(buffer.getvalue(), "image/webp", image.size, alt)


def png(picture: Picture) -> str:
    """The picture as base64 PNG, for readers that show no HTML (a PDF, a preview)."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture.data)).convert("RGB").quantize(64).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()
