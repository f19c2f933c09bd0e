"""Training: the same bytes for the same seed, stopping and going on, and what is recorded."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import torch
from open_clip import SimpleTokenizer

import gaputils as gu
from gaputils.datasets.openmoji import catalogue
from gaputils.datasets.templates import SEEN
from gaputils.pages.born import recorded
from gaputils.tiny_openmoji import checkpoints
from gaputils.tiny_openmoji.training import (
    TRAJECTORY_FILE,
    TrainingSettings,
    _captions,
    _Run,
    train,
)

SHORT = TrainingSettings(steps=6, batch_size=16, warm_up=2, keep=(0, 3), save_every=2)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "short"
    return folder, train(SHORT, folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_leaves_its_history_and_nothing_else(finished):
    folder, frame = finished
    assert sorted(contents(folder)) == [
        "open_clip_config.json",
        "settings.json",
        "step-00000.safetensors",
        "step-00003.safetensors",
        "step-00006.safetensors",
        "trajectory.csv",
    ]
    assert frame["step"].tolist() == [0, 5, 6]
    assert len(pd.read_csv(folder / TRAJECTORY_FILE)) == len(frame)


def test_stopped_at_any_moment_and_started_again_it_ends_with_the_same_bytes(
    finished, tmp_path, monkeypatch
):
    advance = _Run.advance

    def dies(run):
        if run.step == 5:
            raise KeyboardInterrupt
        advance(run)

    monkeypatch.setattr(_Run, "advance", dies)
    with pytest.raises(KeyboardInterrupt):
        train(SHORT, tmp_path / "run")
    monkeypatch.undo()
    train(SHORT, tmp_path / "run")
    assert contents(tmp_path / "run") == contents(finished[0])


def test_another_seed_gives_other_weights(finished, tmp_path):
    other = TrainingSettings(steps=1, batch_size=16, warm_up=2, keep=(0,), seed=1)
    train(other, tmp_path / "run")
    first, second = (
        checkpoints.checkpoint_path(folder, 0).read_bytes()
        for folder in (finished[0], tmp_path / "run")
    )
    assert first != second


def test_a_shorter_run_on_the_same_schedule_is_the_start_of_the_longer(finished, tmp_path):
    short = TrainingSettings(steps=3, schedule=8, batch_size=16, warm_up=2, keep=())
    train(short, tmp_path / "run")
    a, b = (checkpoints.read_checkpoint(folder, 3) for folder in (finished[0], tmp_path / "run"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_folder_with_another_run_is_refused(finished):
    with pytest.raises(FileExistsError, match="out"):
        train(TrainingSettings(steps=2), finished[0])


def test_what_a_run_wrote_loads_as_a_model(finished):
    model = gu.load_model(str(finished[0]), step=3, device="cpu")
    assert model.encode_texts(["a cat"]).shape == (1, 256)


def test_the_scale_stays_fixed_or_is_learned(tmp_path):
    scales = {}
    for learned in (False, True):
        settings = TrainingSettings(
            steps=2, batch_size=16, warm_up=1, keep=(), logit_scale=14, learn_logit_scale=learned
        )
        frame = train(settings, tmp_path / str(learned))
        scales[learned] = frame["logit_scale"].iloc[-1]
    assert scales[False] == pytest.approx(14, rel=1e-6)
    assert abs(scales[True] - 14) > 1e-3


def test_the_learned_scale_never_passes_100():
    run = _Run.start(
        TrainingSettings(batch_size=16, learning_rate=1.0, logit_scale=100, learn_logit_scale=True)
    )
    for _ in range(3):
        run.advance()
    assert float(run.model.logit_scale.detach().exp()) <= 100 * (1 + 1e-6)


def test_held_out_emoji_are_never_drawn():
    run = _Run.start(SHORT)
    from gaputils.datasets.openmoji import catalogue

    held_out = {row for row, emoji in enumerate(catalogue()) if emoji.held_out}
    assert held_out.isdisjoint(run.known.tolist())
    assert len(held_out) + len(run.known) == len(catalogue())


def test_the_rate_rises_stays_and_falls():
    settings = TrainingSettings(steps=100, schedule=100, warm_up=10, learning_rate=1.0)
    rates = [settings.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:51] == pytest.approx([1.0] * 42)
    assert rates[75] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.02)
    assert TrainingSettings(steps=75, learning_rate=1.0).rate(75) == pytest.approx(0.5)


def test_the_recipe_repeats_the_recorded_start(tmp_path):
    train(TrainingSettings(steps=5, schedule=1000, keep=()), tmp_path / "run")
    again = pd.read_csv(tmp_path / "run" / TRAJECTORY_FILE)
    frame = recorded()
    rows = frame[(frame["setting"] == "fixed at 100") & (frame["seed"] == 0)].iloc[:2]
    assert again["step"].tolist() == rows["step"].tolist() == [0, 5]
    for name in ("loss", "gap_norm", "variance_total_image", "variance_gap_text"):
        assert again[name].tolist() == pytest.approx(rows[name].tolist(), rel=0.02)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"steps": 0}, "steps"),
        ({"batch_size": 1}, "batch_size"),
        ({"batch_size": 1728}, "batch_size"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"logit_scale": 101.0}, "logit_scale"),
        ({"logit_scale": math.nan}, "logit_scale"),
        ({"seed": -1}, "seed"),
        ({"keep": (-1,)}, "keep"),
        ({"steps": 6, "keep": (0, 7)}, "keep"),
        ({"schedule": 749}, "schedule"),
    ],
)
def test_bad_settings_are_named(options, name):
    with pytest.raises(ValueError, match=rf"^{name}:"):
        TrainingSettings(**options)


def test_what_is_kept_is_within_the_run():
    with pytest.raises(ValueError, match=r"^keep: expected steps up to 6, got 7$"):
        TrainingSettings(steps=6, keep=(0, 6, 7))
    kept = {steps: TrainingSettings(steps=steps).keep for steps in (6, 200, 750)}
    assert kept == {6: (0,), 200: (0, 50, 200), 750: (0, 50, 200, 400)}


def test_the_model_card_states_the_recorded_numbers():
    frame = recorded()
    ends = frame[frame["step"] == frame.groupby(["setting", "seed"])["step"].transform("max")]
    card = (checkpoints.DATA / "MODEL_CARD.md").read_text()
    labels = {
        "fixed at 100": "the recipe: scale fixed at 100",
        "learned from 14": "scale learned from 14",
        "fixed at 14": "scale fixed at 14",
        "annealed": "scale fixed at 100, annealed",
    }
    for setting, rows in ends.groupby("setting"):
        line = next(line for line in card.splitlines() if line.startswith(f"| {labels[setting]} |"))
        for name, digits in (("gap_norm", 2), ("top1", 2), ("top1_held_out", 3)):
            low, mean, high = (getattr(rows[name], how)() for how in ("min", "mean", "max"))
            assert f"{mean:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})" in line


def test_captions_split_by_word_have_the_tokens_of_the_whole():
    captions = _captions()
    rows = range(0, len(captions.tokens), 40)
    names = [name for emoji in catalogue() for name in emoji.names]
    texts = [template.replace("{}", names[row]) for row in rows for template in SEEN]
    expected = SimpleTokenizer(context_length=captions.tokens.shape[-1])(texts)
    assert torch.equal(captions.rows[captions.tokens[rows]].flatten(0, 1), expected)
