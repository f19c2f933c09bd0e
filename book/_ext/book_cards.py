"""Social cards, one picture a page, drawn with Pillow; and figures made lighter on the line."""

from __future__ import annotations

import io
import json
import random
import textwrap
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from sphinx.application import Sphinx

from gaputils.pages import with_error

SIZE = (1200, 630)
HEAVY = 20_000
DATA = Path(__file__).resolve().parents[1] / "_data"
IMAGE, TEXT, INK, FAINT = "#0072B2", "#D55E00", "#1a1a1a", "#595959"


@cache
def font(size: int, weight: str = "normal") -> ImageFont.FreeTypeFont:
    """Matplotlib's own sans-serif font, found without a network on every machine."""
    properties = font_manager.FontProperties(family="DejaVu Sans", weight=weight)
    return ImageFont.truetype(font_manager.findfont(properties), size)


@cache
def headline() -> str:
    """What closing is worth, as `tools/headline.py` measured it, a line a number of captions."""
    measured = json.loads((DATA / "headline.json").read_text(encoding="utf-8"))
    lines = [f"answers that survive noise, by cosine, σ² = {measured['variance']}"]
    for size, row in measured["captions"].items():
        gain = with_error(row["centred"] - row["original"], row["gain_error"], signed=True)
        lines.append(f"{size} captions: {row['original']:.3f} → {row['centred']:.3f} ({gain})")
    return "\n".join(lines)


def draw_card(title: str) -> Image.Image:
    """The page's title and the headline beside two clouds of points and the arrow between them."""
    card = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(card)
    chance = random.Random(7)
    for centre, colour in (((880, 190), IMAGE), ((1010, 450), TEXT)):
        for _ in range(90):
            x, y = (c + chance.gauss(0, s) for c, s in zip(centre, (75, 42), strict=True))
            pen.ellipse((x - 7, y - 7, x + 7, y + 7), fill=colour)
    pen.line((880, 190, 1010, 450), fill=INK, width=7)
    pen.ellipse((866, 176, 894, 204), fill=INK)
    pen.ellipse((996, 436, 1024, 464), fill=INK)
    pen.rectangle((0, 0, 16, SIZE[1]), fill=IMAGE)
    lines = textwrap.wrap(title, 17)[:4]
    pen.multiline_text((80, 70), "\n".join(lines), font=font(64, "bold"), fill=INK, spacing=18)
    pen.multiline_text((80, 425), headline(), font=font(24), fill=INK, spacing=10)
    pen.text((80, 560), "The Modality Gap · gaputils", font=font(32), fill=FAINT)
    return card


def card_url(app: Sphinx, pagename: str, title: str) -> str:
    """Draw the page's card unless it is there; return its public address."""
    name = pagename.replace("/", "-") + ".png"
    folder = Path(app.outdir) / "_static" / "cards"
    wanted: dict[str, str] = app.book_cards  # type: ignore[attr-defined]
    wanted[str(folder / name)] = title
    return f"{app.config.html_baseurl}_static/cards/{name}"


def write_cards(app: Sphinx, exception: Exception | None) -> None:
    """Write the cards once the static files have been copied (`build-finished`)."""
    wanted: dict[str, str] = app.book_cards  # type: ignore[attr-defined]
    if exception is not None or app.builder.format != "html":
        return
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_card, wanted, wanted.values()))


def write_card(path: str, title: str) -> None:
    """Write the card of one page."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    draw_card(title).quantize(64).save(path, optimize=True)


def lighten(path: Path) -> None:
    """Give a figure of the built site a palette of 256 colours, if that makes it smaller."""
    with Image.open(path) as picture:
        if picture.mode == "P" or path.stat().st_size < HEAVY:
            return
        opaque = picture.convert("RGB")
    reduced = opaque.quantize(256, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    reduced.save(buffer, format="PNG", optimize=True)
    if buffer.tell() < path.stat().st_size:
        path.write_bytes(buffer.getvalue())


def lighten_figures(app: Sphinx, exception: Exception | None) -> None:
    """Lighten the figures once they have been copied (`build-finished`)."""
    if exception is None and app.builder.format == "html":
        with ProcessPoolExecutor() as pool:
            list(pool.map(lighten, (Path(app.outdir) / "_images").glob("*.png")))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.book_cards = {}  # type: ignore[attr-defined]
    app.connect("build-finished", write_cards)
    app.connect("build-finished", lighten_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
