"""What rows and models on a GPU meet, on one that is pretended: the processor's answers, there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gaputils as gu
from gaputils import closing, storage
from gaputils.closing.catalogue import standard_closings
from gaputils.embeddings import choose_items
from gaputils.noise import BinaryQuantization, ScalarQuantization, UniformQuantization
from pretended_gpu import pretended_gpu

pytestmark = [
    pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing"),
    pytest.mark.usefixtures("one_thread"),
]

CLOSINGS = {name: way for name, way in standard_closings().items() if way is not None}
NOISES = {
    "Gaussian": gu.GaussianNoise(0.1),
    "on the queries": gu.GaussianNoise(0.1, on="queries"),
    "uniform": UniformQuantization(8),
    "scalar": ScalarQuantization(4),
    "binary": BinaryQuantization(),
}


def sides(seed: int = 0, n: int = 12, m: int = 9, d: int = 16) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of norm 1 that stand apart, and the right item of each query."""
    rng = np.random.default_rng(seed)
    gallery = rng.normal(size=(m, d))
    targets = np.resize(np.arange(m), n)
    queries = gallery[targets] + 0.5 * rng.normal(size=(n, d)) + 2 * rng.normal(size=d)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery)]
    return torch.from_numpy(unit[0]), torch.from_numpy(unit[1]), torch.from_numpy(targets)


def same_there(call: Callable[..., Any], *rows: Tensor) -> Any:
    """What `call` answers to rows on the GPU, held to what it answers to them here."""
    here = call(*rows)
    with pretended_gpu():
        there = call(*(row.to("cuda") for row in rows))
        found = [part.cpu() if isinstance(part, Tensor) else part for part in _parts(there)]
    for one, other in zip(found, _parts(here), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9, atol=1e-12)
    return there


def _parts(answer: Any) -> list[Any]:
    if isinstance(answer, (list, tuple)):
        return [part for one in answer for part in _parts(one)]
    if hasattr(answer, "to_numpy"):
        return [
            answer.select_dtypes("number").to_numpy() if answer.ndim == 2 else answer.to_numpy()
        ]
    return [answer]


@pytest.mark.parametrize("name", CLOSINGS)
def test_a_closing_stays_on_the_gpu(name: str) -> None:
    queries, gallery, targets = sides()
    paired = gallery[targets] if CLOSINGS[name].needs_pairs else gallery

    def both(queries: Tensor, gallery: Tensor) -> Any:
        return (
            closing.catalogue.copy(CLOSINGS[name]).fit(queries, gallery).transform(queries, gallery)
        )

    moved = same_there(both, queries, paired)
    assert all(side.is_cuda for side in moved)


@pytest.mark.parametrize("name", [name for name in CLOSINGS if "hull" in name or "shift" in name])
def test_what_is_fitted_on_the_gpu_moves_each_side_and_is_saved(name: str, tmp_path: Path) -> None:
    queries, gallery, _ = sides()
    way = closing.catalogue.copy(CLOSINGS[name])

    def each(queries: Tensor, gallery: Tensor) -> list[Any]:
        way.fit(queries, gallery)
        way.save(tmp_path / "closing.safetensors")
        read = closing.load(tmp_path / "closing.safetensors")
        return [
            read.transform(queries, gallery),
            way.transform_gallery(gallery),
            *([way.transform_queries(queries)] if not way._moves_together() else []),
        ]

    same_there(each, queries, gallery)


@pytest.mark.parametrize("way", [gu.MeanShift(), gu.HullProjection(), gu.HullProjection(radius=2)])
def test_a_hull_on_the_gpu_grows(way: Any) -> None:
    queries, gallery, _ = sides()

    def grown(queries: Tensor, gallery: Tensor) -> list[Any]:
        fitted = closing.catalogue.copy(way).fit(queries, gallery[:5])
        far = fitted.off_hull(gallery)
        changed = fitted.add(gallery[5:])
        return [far, changed, fitted.transform(queries, gallery)]

    same_there(grown, queries, gallery)


@pytest.mark.parametrize(
    "way",
    [
        gu.HullProjection(n_components="auto"),
        gu.MeanShift(n_components=3),
        gu.HullProjection(radius="auto"),
        gu.HullProjection(covariance=np.diag(np.arange(1.0, 17.0))),
        gu.MixedGallery(),
    ],
    ids=repr,
)
def test_a_closing_with_options_stays_on_the_gpu(way: Any) -> None:
    queries, gallery, _ = sides()

    def moved(queries: Tensor, gallery: Tensor) -> Any:
        if isinstance(way, gu.MixedGallery):
            kinds = {"text": gallery, "image": queries}
            found = gu.MixedGallery().fit(queries, kinds).transform(queries, kinds)
            return [found[0], *found[1].values()]
        return closing.catalogue.copy(way).fit(queries, gallery).transform(queries, gallery)

    same_there(moved, queries, gallery)


def test_a_covariance_on_the_gpu_is_taken() -> None:
    queries, gallery, _ = sides()

    def obliquely(queries: Tensor, gallery: Tensor, after: Tensor) -> Any:
        covariance = gu.covariance_between(gallery, after)
        return (
            gu.HullProjection(covariance=covariance)
            .fit(queries, gallery)
            .transform(queries, gallery)
        )

    same_there(obliquely, queries, gallery, gallery + 0.1 * sides(1)[1])


@pytest.mark.parametrize("scoring", ["cosine", "inner-product", "euclidean"])
@pytest.mark.parametrize("noise", NOISES)
def test_robustness_on_the_gpu_is_that_of_the_processor(noise: str, scoring: str) -> None:
    queries, gallery, targets = sides()

    method = "exact" if noise == "Gaussian" else "monte-carlo"
    options: dict[str, Any] = {"scoring": scoring, "draws": 50, "method": method}

    def both(queries: Tensor, gallery: Tensor, targets: Tensor) -> list[Any]:
        kept = gu.robustness(queries, gallery, NOISES[noise], **options)
        right = gu.accuracy_under_noise(queries, gallery, targets, NOISES[noise], **options)
        return [kept, right]

    assert same_there(both, queries, gallery, targets)[0].is_cuda


def test_many_items_are_compared_on_the_gpu() -> None:
    queries, gallery, _ = sides(n=30, m=400)

    def both(queries: Tensor, gallery: Tensor) -> list[Any]:
        return [
            gu.robustness(queries, gallery, gu.GaussianNoise(0.1), scoring=scoring)
            for scoring in ("cosine", "inner-product", "euclidean")
        ]

    same_there(both, queries, gallery)


def test_closings_are_compared_on_the_gpu() -> None:
    ways = {"original": None, "shift": gu.MeanShift(), "GR-CLIP": gu.GRCLIP()}

    def compared(queries: Tensor, gallery: Tensor, targets: Tensor) -> list[Any]:
        noises = {name: NOISES[name] for name in ("Gaussian", "scalar")}
        frames = [
            gu.compare_closings(
                queries, gallery, ways, noises, targets=targets, order=order, draws=20
            )
            for order in ("closing first", "noise first")
        ]
        curve = gu.robustness_curve(
            queries, gallery, gu.MeanShift(), [0, 0.5, 1], gu.GaussianNoise(0.1), targets=targets
        )
        return [*frames, curve]

    same_there(compared, *sides())


def test_a_report_reads_rows_on_the_gpu() -> None:
    def told(queries: Tensor, gallery: Tensor, targets: Tensor) -> list[Any]:
        e = gu.Embeddings(queries, gallery, targets)
        reports = [gu.report(e), gu.report(e, rows=6, items=7), gu.report((queries, gallery))]
        return [part for one in reports for part in (one.measures, one.benefits)]

    same_there(told, *sides(n=40, m=30))


def test_measures_of_rows_on_the_gpu() -> None:
    def measured(queries: Tensor, gallery: Tensor) -> list[Any]:
        e = gu.Embeddings(queries, gallery)
        statistics = gu.GapStatistics(queries.shape[1])
        statistics.update(queries[:7], gallery[:20])
        statistics.update(queries[7:], gallery[20:])
        return [
            gu.measure_gap(e),
            gu.measure_gap(e, max_rows=20),
            list(statistics.compute().values()),
            gu.variance_between(queries, gallery),
            gu.certified_radius(queries, gallery),
        ]

    same_there(measured, *sides(n=40, m=40)[:2])


def test_embeddings_on_the_gpu_are_kept_and_read(tmp_path: Path) -> None:
    def kept(queries: Tensor, gallery: Tensor, targets: Tensor) -> list[Any]:
        e = gu.Embeddings(queries, gallery, targets, normalize=True)
        e.save(tmp_path / "e.safetensors")
        storage.files.write_npz(e, tmp_path / "e.npz")
        part = choose_items(e, [0, 2, 3])
        blocks = gu.answerable_blocks(e, 3)
        read = gu.Embeddings.load(tmp_path / "e.safetensors")
        return [
            *(one.queries for one in (part, read, *blocks)),
            *(one.targets for one in (part, read, *blocks)),
            gu.retrieval(e),
            gu.zero_shot(e),
        ]

    same_there(kept, *sides())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_model_on_the_gpu_embeds(precision: str, tmp_path: Path) -> None:
    data = gu.datasets.load("emoji10", copies=2)
    with pretended_gpu():
        model = gu.load_model("tiny-openmoji", device="cuda", precision=precision)
        assert model.device.type == "cuda"
        there = gu.embed(model, data)
        folder = gu.load_folder(gu.embed_to_folder(model, data, tmp_path, shard_size=8))
        classes = gu.embed_classes(model, data.class_names, data.templates)
    here = gu.embed(gu.load_model("tiny-openmoji", device="cpu", precision=precision), data)
    exact = precision == "fp32"
    for found in (there, folder):
        torch.testing.assert_close(
            found.queries, here.queries, atol=1e-6 if exact else 0.02, rtol=0
        )
    torch.testing.assert_close(
        classes[:, 0].cpu(), here.gallery, atol=1e-6 if exact else 0.02, rtol=0
    )


def test_a_model_with_a_history_is_the_same_on_every_device() -> None:
    with pretended_gpu():
        there = gu.load_model("tiny-openmoji", device="cuda")
        found = there.encode_texts(["a dog"]).cpu()
    here = gu.load_model("tiny-openmoji", device="cpu")
    assert there.dtype == here.dtype == torch.float32
    torch.testing.assert_close(found, here.encode_texts(["a dog"]), atol=1e-6, rtol=0)


def test_rows_on_two_devices_are_refused_as_a_gpu_refuses_them() -> None:
    rows = torch.ones(2, 3)
    with pretended_gpu():
        there = rows.to("cuda")
        for mixed in (
            lambda: there + rows,
            lambda: there @ rows.mT,
            lambda: torch.cat([there, rows]),
        ):
            with pytest.raises(RuntimeError, match="same device"):
                mixed()
        with pytest.raises(RuntimeError, match="generator"):
            torch.randn(2, device="cuda", generator=torch.Generator())
        with pytest.raises(TypeError, match="cuda"):
            there.numpy()
        assert (there + torch.tensor(1.0))[torch.tensor([0])].cpu().tolist() == [[2.0] * 3]
