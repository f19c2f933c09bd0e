"""An image with several captions is answered by any of them, wherever accuracy is shown."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import gaputils as gu
from gaputils.cli.commands import app
from gaputils.embeddings import choose_items, items_of
from gaputils.pages.moving_the_gap import accuracy_curve
from gaputils.scoring import SCORINGS
from gaputils.storage.files import write_npz

pytestmark = pytest.mark.filterwarnings("ignore::gaputils.closing.ClosingDoesNothing")

COUNTS = [3, 6, 4, 5, 3, 4, 6, 5]
OWNERS = np.repeat(np.arange(len(COUNTS)), COUNTS)


@pytest.fixture
def captions() -> gu.Embeddings:
    """Images whose first caption says nothing of them, and whose others do."""
    rng = np.random.default_rng(0)
    images = np.linalg.qr(rng.normal(size=(16, len(COUNTS))))[0].T
    texts = images[OWNERS] + 0.05 * rng.normal(size=(len(OWNERS), 16))
    first = np.flatnonzero(np.diff(OWNERS, prepend=-1))
    texts[first] = -images[OWNERS[first]] + 0.05 * rng.normal(size=(len(first), 16))
    return gu.Embeddings(images, texts, first, {"caption_image": OWNERS.tolist()}, normalize=True)


def test_every_measure_counts_any_caption(captions: gu.Embeddings) -> None:
    assert gu.retrieval(captions)["queries_recall@1"] == 1
    assert (gu.report(captions).benefits["accuracy"] == 1).all()
    noise = gu.GaussianNoise(0.001)
    for scoring in SCORINGS:
        found = gu.zero_shot(captions, scoring)
        assert found["top1"] == found["mean_per_class"] == found["top5"] == 1
        curve = gu.robustness_curve(
            captions.queries,
            captions.gallery,
            gu.MeanShift(),
            [0.0, 1.0],
            noise,
            targets=captions.answers,
            scoring=scoring,
            method="monte-carlo" if scoring == "cosine" else "exact",
            draws=20,
        )
        assert (curve["accuracy"] == 1).all()
        assert (curve["right"] > 0.99).all()
    assert (accuracy_curve(captions, lambda _: None, [0.0])["accuracy"] == 1).all()
    frame = gu.compare_closings(
        captions.queries, captions.gallery, {"a": None}, {"a": noise}, targets=captions.answers
    )
    assert (frame["accuracy"] == 1).all()
    assert (frame["right"] > 0.99).all()


@pytest.mark.parametrize("scoring", ["euclidean", "inner-product"])
@pytest.mark.parametrize("variance", [0.0, 0.1, 3.0])
def test_exact_accuracy_is_the_sum_over_the_captions(captions, scoring, variance) -> None:
    e, noise = captions, gu.GaussianNoise(variance)
    answers = e.answers
    found = gu.accuracy_under_noise(e.queries, e.gallery, answers, noise, scoring=scoring)
    total = torch.zeros(len(e.queries), dtype=torch.float64)
    for row in range(len(e.queries)):
        for item in np.flatnonzero(row == OWNERS):
            target = torch.full((len(e.queries),), int(item))
            one = gu.accuracy_under_noise(e.queries, e.gallery, target, noise, scoring=scoring)
            total[row] += one[row]
    torch.testing.assert_close(found, total)
    simulated, right = gu.estimate(
        e.queries, e.gallery, noise, targets=answers, scoring=scoring, draws=2000
    )
    assert right is not None
    assert abs(right.mean - float(found.mean())) < 0.003 + 4 * right.standard_error
    assert right.draws == simulated.draws


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_owners_survive_what_close_writes(captions, tmp_path: Path, suffix: str) -> None:
    captions.save(tmp_path / "e.safetensors")
    write_npz(captions, tmp_path / "e.npz")
    for source in ("e.safetensors", "e.npz"):
        out = tmp_path / f"c{suffix}"
        call = ["close", str(tmp_path / source), "-o", str(out), "--closing", "MeanShift"]
        assert CliRunner().invoke(app, call).exit_code == 0
        back = gu.read_pair(out)
        assert back.owners.tolist() == OWNERS.tolist()
        assert gu.retrieval(back)["queries_recall@1"] == 1
        assert back.info["closing"].startswith("MeanShift")


def test_the_commands_count_any_caption(captions, tmp_path: Path) -> None:
    path = captions.save(tmp_path / "e.safetensors")
    call = ["robustness", str(path), "--variance", "0.001", "--format", "csv"]
    for method in ("none", "HullProjection"):
        told = CliRunner().invoke(app, [*call, "--closing", method])
        assert told.exit_code == 0
        assert pd.read_csv(io.StringIO(told.stdout))["accuracy"].eq(1.0).all()


def test_owners_go_with_the_items_that_are_chosen(captions: gu.Embeddings) -> None:
    items = [11, 4, 5, 1, 12]
    part = choose_items(captions, items)
    assert part.owners.tolist() == [2, 1, 1, 0, 2]
    assert torch.equal(part.gallery, captions.gallery[items])
    assert torch.equal(part.queries, captions.queries[[0, 1, 2]])
    assert part.targets.tolist() == [3, 1, 0]
    assert (gu.report(part).benefits["accuracy"] == 1).all()


def test_owners_that_do_not_fit_are_refused(captions: gu.Embeddings) -> None:
    for listed in (OWNERS[:-1].tolist(), (OWNERS + 1).tolist()):
        with pytest.raises(ValueError, match=r"info\['caption_image'\]: expected"):
            gu.Embeddings(captions.queries, captions.gallery, None, {"caption_image": listed})
    with pytest.raises(TypeError, match=r"info\['caption_image'\]: expected integers"):
        gu.Embeddings(
            captions.queries, captions.gallery, None, {"caption_image": (OWNERS + 0.5).tolist()}
        )


def test_items_of_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    for queries in (1, 3, 9):
        owners = rng.integers(queries, size=14)
        found = items_of(torch.from_numpy(owners), queries)
        for row in range(queries):
            own = np.flatnonzero(owners == row).tolist()
            assert found[row].tolist() == own + [-1] * (found.shape[1] - len(own))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.full((8, 0), 1), r"expected shape \(8, k\)"),
        (torch.full((7, 2), 1), r"expected shape \(8, k\)"),
        (torch.full((8, 2), 1), "each index once in a row"),
        (torch.full((8, 1), 99), "expected indices"),
        (torch.full((8, 2), -2), "expected indices"),
    ],
)
def test_answers_that_do_not_fit_are_refused(captions, targets, message) -> None:
    with pytest.raises(ValueError, match=f"targets: .*{message}"):
        gu.accuracy_under_noise(captions.queries, captions.gallery, targets, gu.GaussianNoise(0.1))
