"""The emoji, their drawings, their names, and the captions around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gaputils as gu
from gaputils.datasets import openmoji as om
from gaputils.datasets.templates import SEEN, UNSEEN, fill

STILL = om.Augmentation(rotation=0, scale=(1, 1), shift=0, background=1, brightness=0)


def test_catalogue_has_about_1920_emoji_and_holds_out_a_tenth():
    emoji = om.catalogue()
    assert 1850 < len(emoji) < 2000
    assert 0.08 < sum(e.held_out for e in emoji) / len(emoji) < 0.12


def test_names_are_unique_and_readable():
    names = [e.names[0] for e in om.catalogue()]
    assert len(set(names)) == len(names)
    assert not any(set(":_") & set(name) for name in names if name != ":")


def test_no_alias_is_shared_with_another_emoji():
    names = [name for e in om.catalogue() for name in e.names]
    assert len(set(names)) == len(names)


def test_no_emoji_has_a_skin_tone():
    assert not any("\U0001f3fb" <= c <= "\U0001f3ff" for e in om.catalogue() for c in e.characters)


def test_emoji10_is_in_the_catalogue_and_not_held_out():
    known = {e.characters: e for e in om.catalogue()}
    assert len(om.EMOJI10) == 10
    assert not any(known[characters].held_out for characters in om.EMOJI10)


def test_drawings_are_premultiplied_and_not_empty():
    rgba = om.drawings(24, range(0, len(om.catalogue()), 40)).int()
    assert int(rgba[:, 3].flatten(1).amax(1).min()) > 128
    assert int((rgba[:, :3] - rgba[:, 3:]).max()) <= 1


def test_augmentation_of_no_strength_is_the_drawing_on_white():
    rgba = om.drawings(24, range(5))
    result = om.augment(rgba, torch.Generator().manual_seed(0), STILL)
    alpha = rgba[:, 3:].float() / 255
    torch.testing.assert_close(
        result, (rgba[:, :3] / 255 + 1 - alpha).clamp(0, 1), atol=1e-5, rtol=0
    )


def test_rotation_by_a_quarter_turns_the_drawing():

    rgba = om.drawings(24, [0])
    strength = om.Augmentation(rotation=90, scale=(1, 1), shift=0, background=1, brightness=0)
    plain = om.augment(rgba, torch.Generator().manual_seed(0), STILL)
    for seed in range(200):
        u = torch.rand(1, 8, generator=torch.Generator().manual_seed(seed))
        if float(u[0, 0]) > 0.995:
            turned = om.augment(rgba, torch.Generator().manual_seed(seed), strength)
            expected = torch.rot90(plain, 1, dims=(2, 3))
            assert float((turned - expected).abs().mean()) < 0.02
            return
    pytest.fail("no seed turned by nearly a right angle")


@pytest.mark.parametrize("name", ["openmoji", "emoji10"])
def test_loading_is_a_function_of_the_seed(name):
    options = {"size": 16, "copies": 1} if name == "openmoji" else {"size": 16, "copies": 3}
    first, again, other = (
        gu.datasets.load(name, seed=seed, **options).images.pixels for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_seed_is_told_as_a_plain_number():
    data = gu.datasets.load("emoji10", size=8, copies=1, seed=np.int64(3))
    assert data.info["seed"] == 3
    assert type(data.info["seed"]) is int
    drawn = gu.datasets.load("emoji10", size=8, copies=1, seed=torch.Generator())
    assert "seed" not in drawn.info


def test_emoji10_has_a_hundred_renderings_of_each_class():
    data = gu.datasets.load("emoji10", size=16)
    assert len(data) == 1000
    assert data.targets.bincount().tolist() == [100] * 10
    assert data.class_names[:3] == ["airplane", "automobile", "bird"]


def test_parts_of_openmoji_are_disjoint_and_complete():
    parts = [gu.datasets.load("openmoji", split=part, size=8) for part in ("train", "held-out")]
    rows = torch.cat([part.targets for part in parts])
    assert sorted(rows.tolist()) == list(range(len(om.catalogue())))
    assert all(len(part.class_names) == len(om.catalogue()) for part in parts)


def test_an_image_is_what_its_pixels_say():
    data = gu.datasets.load("emoji10", size=16, copies=1)
    image = data.images[3]
    assert image.mode == "RGB"
    assert image.size == (16, 16)
    assert image.getpixel((5, 2)) == tuple(data.images.pixels[3, :, 2, 5].tolist())


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: gu.datasets.load("emoji11"), "name"),
        (lambda: gu.datasets.load("emoji10", split="train"), "split"),
        (lambda: gu.datasets.load("openmoji", split="validation"), "split"),
        (lambda: gu.datasets.load("emoji10", copies=0), "copies"),
        (lambda: gu.datasets.load("emoji10", colour="red"), "colour"),
        (lambda: gu.datasets.load("emoji10", root="/tmp"), "root"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()


def test_templates_are_distinct_and_take_one_name():
    assert len(SEEN) == 16
    assert len(UNSEEN) >= 20
    assert len({*SEEN, *UNSEEN}) == len(SEEN) + len(UNSEEN)
    for template in (*SEEN, *UNSEEN):
        assert fill(template, "cat") == template.format("cat")


def test_a_template_without_a_place_is_refused():
    with pytest.raises(ValueError, match="template"):
        fill("a photo", "cat")
