"""GR-CLIP: modality means measured once, on data of their own, and subtracted ever after."""

from __future__ import annotations

from gaputils.closing.centering import Centering


class GRCLIP(Centering):
    """Subtract each side's mean over a calibration set, then put the rows back on the sphere.

    Li et al. 2025 ("Closing the Modality Gap for Mixed Modality Search"), as in the authors'
    retrieval code: cosine ranking of ``e - mean`` with the means of a calibration corpus, so
    `fit` on that corpus and `transform` whatever is searched. Fitted and used on the same data it
    is `Centering(renormalize=True)`. For documents that mix image and text the authors mix the
    means alike; here a side has one modality.

    Guarantees unit rows; no ranking is kept. Learns `query_mean_` (d,) and `gallery_mean_` (d,).
    """

    calibrated = True

    def __init__(self) -> None:
        super().__init__(renormalize=True)
