"""Embedding beside the least that it takes: the bare encoder, and `clip-benchmark`'s classifier.

Both ways run on one thread and in turn. What is compared is their processor time, which on an idle
machine is the time that passes and on a busy one leaves out what others take; the median of the
rounds' ratios is held against the bound. `GAP_BENCH_CLASSES` is the number of class names.
"""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import time
from collections.abc import Callable

import open_clip
import pytest
import torch

import gaputils as gu
from gaputils.embed import embed_images

CLASSES = int(os.environ.get("GAP_BENCH_CLASSES", "1000"))
NAMES = list(open_clip.IMAGENET_CLASSNAMES)[:CLASSES]
TEMPLATES = [template("{}") for template in open_clip.OPENAI_IMAGENET_TEMPLATES]


@pytest.fixture(autouse=True)
def _only_when_timed(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("timings are taken with --benchmark-enable")


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model() -> gu.Model:
    return gu.load_model("tiny-openmoji", device="cpu")


def in_turn(first: Callable[[], object], second: Callable[[], object], rounds: int) -> list[float]:
    """Processor time of `first` over that of `second` in each round; who begins changes."""
    ratios = []
    for number in range(rounds):
        seconds = {}
        for call in (first, second) if number % 2 else (second, first):
            started = time.process_time()
            call()
            seconds[call] = time.process_time() - started
        ratios.append(seconds[first] / seconds[second])
    return ratios


def told(benchmark, name: str, ratios: list[float]) -> float:
    middle = statistics.median(ratios)
    benchmark.extra_info |= {"ratio": middle, "ratios": ratios}
    print(f"\n{name}: {middle:.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)} rounds)")
    return middle


def test_a_classifier_beside_clip_benchmark(model: gu.Model, benchmark) -> None:
    from clip_benchmark.metrics.zeroshot_classification import zero_shot_classifier

    theirs_templates = [template.replace("{}", "{c}") for template in TEMPLATES]

    def theirs() -> torch.Tensor:
        with contextlib.redirect_stderr(io.StringIO()):
            return zero_shot_classifier(
                model.module, model.tokenizer, NAMES, theirs_templates, "cpu", amp=False
            ).T

    def ours() -> torch.Tensor:
        return gu.embed_classes(model, NAMES, TEMPLATES)[:, 0]

    torch.testing.assert_close(ours(), theirs(), rtol=0, atol=1e-6)
    ratios = benchmark.pedantic(in_turn, (theirs, ours, 3), rounds=1)
    assert told(benchmark, "clip-benchmark / gaputils", ratios) >= 3


def test_a_classifier_of_words_never_seen(benchmark) -> None:
    """The first call, with which both tokenizers begin with no word remembered."""
    from clip_benchmark.metrics.zeroshot_classification import zero_shot_classifier

    names = NAMES[:250]
    theirs_templates = [template.replace("{}", "{c}") for template in TEMPLATES]

    def measure() -> list[float]:
        a, b = (gu.load_model("tiny-openmoji", device="cpu") for _ in range(2))
        with contextlib.redirect_stderr(io.StringIO()):
            return in_turn(
                lambda: zero_shot_classifier(
                    a.module, a.tokenizer, names, theirs_templates, "cpu", amp=False
                ),
                lambda: gu.embed_classes(b, names, TEMPLATES),
                rounds=1,
            )

    ratios = benchmark.pedantic(lambda: [measure()[0] for _ in range(3)], rounds=1)
    assert told(benchmark, "clip-benchmark / gaputils, first call", ratios) >= 3


@pytest.mark.parametrize("batch_size", [64, 256])
def test_images_in_memory_beside_the_bare_encoder(model: gu.Model, benchmark, batch_size) -> None:
    images = gu.datasets.load("openmoji").images
    mean, std = (torch.tensor(value)[:, None, None] for value in (model.mean, model.std))
    ready = (images.pixels.float() / 255 - mean) / std

    @torch.inference_mode()
    def bare() -> list[torch.Tensor]:
        return [model.module.encode_image(batch) for batch in ready.split(batch_size)]

    def ours() -> torch.Tensor:
        return embed_images(model, images, batch_size=batch_size)

    expected = torch.nn.functional.normalize(torch.cat(bare()), dim=1)
    torch.testing.assert_close(ours(), expected, rtol=0, atol=1e-6)
    ratios = benchmark.pedantic(in_turn, (ours, bare, 21), rounds=1)
    assert told(benchmark, f"embed / bare, {batch_size} a batch", ratios) <= 1.15
