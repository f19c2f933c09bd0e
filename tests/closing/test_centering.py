"""Each side about its own mean: the rankings of the naive shift, and GR-CLIP's map."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from closing.helpers import sides
from gaputils import closing
from gaputils.scoring import cost

SYMMETRIES = [
    (closing.Centering(), "d", 1),
    (closing.GRCLIP(), "d", 0),
]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), m=st.integers(2, 30))
def test_centring_ranks_as_the_naive_shift_does(seed, m):
    queries, gallery = sides(25, m, 12, seed)
    shifted = cost(*closing.NaiveShift().fit_transform(queries, gallery), "euclidean")
    centred = cost(*closing.Centering().fit_transform(queries, gallery), "euclidean")
    torch.testing.assert_close(shifted, centred)


def test_i0t_gr_clip_and_centring_are_one_map_on_the_same_data():
    queries, gallery = sides()
    expected = closing.Centering(renormalize=True).fit_transform(queries, gallery)
    for method in (closing.Standardizing(), closing.GRCLIP()):
        for first, second in zip(method.fit_transform(queries, gallery), expected, strict=True):
            torch.testing.assert_close(first, second)
