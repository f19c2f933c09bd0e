"""The geometry figures show what the tidy data say."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA

import gaputils as gu
from gaputils import plots
from gaputils.geometry import principal_coordinates


@pytest.fixture(autouse=True)
def _close():
    plots.set_theme()
    yield
    plt.close("all")


def example(n: int = 40) -> gu.Embeddings:
    rng = np.random.default_rng(0)
    return gu.Embeddings(rng.normal(size=(n, 6)) + 3, rng.normal(size=(n, 6)))


def test_principal_coordinates_against_scikit_learn() -> None:
    e = example()
    points = np.concatenate([e.queries.numpy(), e.gallery.numpy()])
    pca = PCA(3).fit(points)
    frame = principal_coordinates(e)
    np.testing.assert_allclose(frame.attrs["shares"], pca.explained_variance_ratio_)
    np.testing.assert_allclose(
        frame[["pc1", "pc2", "pc3"]].abs(), np.abs(pca.transform(points)), atol=1e-8
    )
    assert (frame["side"] == ["queries"] * 40 + ["gallery"] * 40).all()
    assert len(principal_coordinates(e, rows=10)) == 20


def test_clouds_draw_every_point_on_labelled_axes() -> None:
    ax = plots.clouds(principal_coordinates(example()))
    assert [len(c.get_offsets()) for c in ax.collections] == [40, 40]
    assert ax.get_xlabel().startswith("PC 1 (")
    ax.figure.canvas.draw()


def test_clouds_need_three_dimensional_axes() -> None:
    frame = principal_coordinates(example())
    for ax in (plt.figure().add_subplot(), plt.subplots(1, 2)[1]):
        with pytest.raises(TypeError, match=f"^ax: expected 3-D axes, got {type(ax).__name__}"):
            plots.clouds(frame, ax)
