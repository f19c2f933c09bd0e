"""Norms, averages of an image and its text, and texts in the place of images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from gaputils.closing import Centering
from gaputils.datasets import DataUnavailable, load, published_rows
from gaputils.datasets.openmoji import catalogue
from gaputils.embeddings import Embeddings
from gaputils.encoding.embed import embed_images
from gaputils.evaluation.protocol import bootstrap_means, mean_and_error, paired_gain
from gaputils.models import Model
from gaputils.pages.scores.cosines import CENTRED, cosines
from gaputils.scoring import least, nearest


def norms() -> tuple[dict[str, float], str]:
    """What norms do to 1,000 class texts of CLIP under two prompts, as they were published.

    The second prompt's rows ask for their class among the first's: `cosine` and `product`, the
    share of right answers, with the paired difference `lost` and its error; `least` and `most`, the
    norms; `average`, the mean cosine of the two averages of the prompts, of raw rows and of rows of
    norm 1, and `moved`, the share of classes whose nearest other class differs between them. Empty
    with a reason where they are not at hand.
    """
    try:
        first = published_rows("clip-lt-imagenet")[0].double()
        second = published_rows("clip-lt-imagenet-2")[0].double()
    except DataUnavailable as error:
        return {}, str(error)
    own = torch.arange(len(first))
    by_cosine = cosines(second, first).argmax(dim=1) == own
    by_product = nearest(second, first, "inner-product") == own
    lost, error_ = paired_gain(by_product.double().numpy(), by_cosine.double().numpy())
    raw, unit = first + second, normalize(first, dim=1) + normalize(second, dim=1)
    others = [cosines(rows, rows).fill_diagonal_(-1).argmax(dim=1) for rows in (raw, unit)]
    lengths = torch.cat([first, second]).norm(dim=1)
    return {
        "cosine": float(by_cosine.double().mean()),
        "product": float(by_product.double().mean()),
        "lost": lost,
        "lost_error": error_,
        "least": float(lengths.min()),
        "most": float(lengths.max()),
        "average": float(torch.nn.functional.cosine_similarity(raw, unit).mean()),
        "moved": float((others[0] != others[1]).double().mean()),
    }, ""


def third_kind(e: Embeddings) -> pd.DataFrame:
    """Cosines of a text with other texts, other images, and other images averaged with their texts.

    Mean and spread; rows of `e` are pairs.
    """
    texts, images = (normalize(side.double(), dim=1) for side in (e.gallery, e.queries))
    apart = ~torch.eye(len(texts), dtype=torch.bool)
    kinds = {"texts": texts, "image and text averaged": images + texts, "images": images}
    rows = {}
    for name, items in kinds.items():
        values = cosines(texts, items)[apart]
        rows[name] = {"mean": float(values.mean()), "spread": float(values.std())}
    return pd.DataFrame.from_dict(rows, orient="index")


def emoji_by_alias(model: Model) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Aliases of emoji, the row of each, and the drawings and the first names that they search."""
    emoji = catalogue()
    aliases = [(row, name) for row, one in enumerate(emoji) for name in one.names[1:]]
    asked = model.encode_texts([f"a photo of a {name}." for _, name in aliases])
    names = model.encode_texts([f"an icon of a {one.names[0]}." for one in emoji])
    drawn = embed_images(model, load("openmoji").images)
    owners = torch.tensor([row for row, _ in aliases])
    return asked.cpu().double(), owners, drawn.double(), names.cpu().double()


def fused(
    asked: Tensor, owners: Tensor, images: Tensor, texts: Tensor, shares: Iterable[float]
) -> pd.DataFrame:
    """Right answers by cosine among items that are an image and a text averaged, by the text's
    share: with the rows as they are, and with each side's mean taken away first.

    Row i of `images` and `texts` is item i, and `owners` (n,) is the item that each of `asked`
    (n, d) means. Columns: `share`, `way`, `right`, `error`, `gain` over the untouched and its
    `gain_error`, over the items that are meant: aliases of one are drawn together.
    """
    meant = one_hot(torch.from_numpy(np.unique(owners, return_inverse=True)[1])).double()
    about_images = Centering(renormalize=True).fit(asked, images)
    about_texts = Centering(renormalize=True).fit(asked, texts)
    ways = {
        "original": (asked, images, texts),
        CENTRED: (
            about_images.transform_queries(asked),
            about_images.transform_gallery(images),
            about_texts.transform_gallery(texts),
        ),
    }
    rows = []
    for share in shares:
        base = None
        for way, (queries, drawn, named) in ways.items():
            items = (1 - share) * drawn + share * named
            right = (cosines(queries, items).argmax(dim=1) == owners).double()
            base = right if base is None else base
            each = torch.stack([right, right - base, torch.ones_like(right)], dim=1)
            means = bootstrap_means(meant.mT @ each)
            own, error = (means[:, :2] / means[:, 2:]).std(axis=0)
            rows.append((share, way, float(right.mean()), own, float(each[:, 1].mean()), error))
    columns = ["share", "way", "right", "error", "gain", "gain_error"]
    return pd.DataFrame(rows, columns=columns)


def concatenated(queries: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """Inner products of each query, written once for each of `parts`, with their concatenation."""
    return torch.cat([queries] * len(parts), dim=1) @ torch.cat(list(parts), dim=1).mT


def swapped(e: Embeddings, k: int = 10) -> tuple[pd.DataFrame, float]:
    """How many of an image's `k` nearest other images its text finds in its place, by cosine.

    A row for the text as it is, moved by the gap onto the images' mean, and with each mean taken
    away from both sides; chance last. And what is left of the mean squared distance of a pair when
    the gap is taken away. Rows of `e` are pairs.
    """
    images, texts = e.queries.double(), e.gallery.double()
    gap = images.mean(dim=0) - texts.mean(dim=0)
    middle = images.mean(dim=0)
    ways = {
        "text as it is": (texts, images),
        "text moved by the gap": (texts + gap, images),
        CENTRED: (texts + gap - middle, images - middle),
    }
    wanted = _neighbours(images, images, k)
    rows: dict[str, dict[str, float]] = {}
    base = None
    for name, (queries, items) in ways.items():
        found = _neighbours(queries, items, k)
        share = (found[:, :, None] == wanted[:, None]).any(dim=2).double().mean(dim=1).numpy()
        base = share if base is None else base
        gain, error = paired_gain(share, base)
        found_share, found_error = mean_and_error(share)
        rows[name] = {"found": found_share, "error": found_error, "gain": gain, "gain_error": error}
    rows["chance"] = {"found": k / (len(images) - 1)}
    left = (images - texts - gap).square().sum() / (images - texts).square().sum()
    return pd.DataFrame.from_dict(rows, orient="index"), float(left)


def _neighbours(queries: Tensor, items: Tensor, k: int) -> Tensor:
    return least(-cosines(queries, items).fill_diagonal_(-torch.inf), k)
