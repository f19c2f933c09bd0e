"""Measure the headline anew: what the social cards say, and the picture of the README.

    python tools/headline.py

On the published embeddings, as the introduction does. It writes `book/_data/headline.json`, by
cosine and for each number of captions the share of answers that survive, untouched and centred,
with the paired error of the difference; and draws `book/_static/story.png`, which carries the same.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import gaputils as gu
from gaputils import plots
from gaputils._files import replacing, write_text
from gaputils.embeddings import Embeddings
from gaputils.pages import intro
from gaputils.pages.figures.intro import story

BOOK = Path(__file__).resolve().parents[1] / "book"
NAME, VARIANCE, SIZES = "liang2022-clip-coco", 0.04, (100, 500)


def told(frame: pd.DataFrame) -> str:
    """The headline by cosine as JSON, from `intro.headline`'s frame."""
    rows = frame[frame["scoring"] == "cosine"].set_index(["captions", "closing"])
    sizes = {
        str(size): {
            "original": round(float(rows.loc[(size, intro.ORIGINAL), "robustness"]), 4),
            "centred": round(float(rows.loc[(size, intro.CENTRED), "robustness"]), 4),
            "gain_error": round(float(rows.loc[(size, intro.CENTRED), "gain_error"]), 4),
        }
        for size in SIZES
    }
    return json.dumps({"variance": VARIANCE, "captions": sizes}, indent=2) + "\n"


def draw(embeddings: Embeddings, frame: pd.DataFrame, path: Path) -> None:
    """The introduction's first figure, in 64 colours, with what it says in the file's own text."""
    plots.set_theme()
    figure, buffer = story(embeddings, frame), io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    text = PngInfo()
    text.add_text("headline", told(frame))
    with Image.open(buffer) as drawn, replacing(path) as part:
        reduced = drawn.convert("RGB").quantize(64, dither=Image.Dither.NONE)
        reduced.save(part, format="PNG", optimize=True, pnginfo=text)


def main(book: Path = BOOK) -> int:
    """Write both files."""
    embeddings = gu.datasets.published(NAME, normalize=True)
    frame = intro.headline(embeddings, VARIANCE, SIZES)
    write_text(book / "_data" / "headline.json", told(frame))
    draw(embeddings, frame, book / "_static" / "story.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
