"""The shortened text tower and the word cache give what open_clip's own calls give."""

from __future__ import annotations

import warnings
from functools import cache

import open_clip
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer
from torch.nn.functional import normalize

import gaputils as gu
from gaputils.models._text_tower import causal_tower, plan_texts
from gaputils.models._tokens import tokenize
from pretended_gpu import pretended_gpu

VISION = {"image_size": 16, "patch_size": 8, "layers": 1, "width": 64}
TEXT = {"context_length": 20, "vocab_size": 49408, "width": 32, "heads": 4, "layers": 3}
TEXTS = [
    "",
    "a",
    "a photo of a cat.",
    "A  Photo of\ta CAT &amp; a dog",
    "it’s a café, naïvely",
    "12 green bottles, 3 ships!!! don't",
    "<end_of_text> early, then more",
    "a very long sentence " * 9,
    "a photo of a dog.",
]


@cache
def tokenizer(**options: object) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=20, **options)


def build(custom: bool = False, **text: object) -> torch.nn.Module:
    torch.manual_seed(0)
    kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = kind(32, VISION, {**TEXT, **text})
    for parameter in module.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0, 0.2)
    return module.eval().requires_grad_(False)


def encode(module: torch.nn.Module, tokens: torch.Tensor, batch_size: int) -> torch.Tensor:
    result = torch.full((len(tokens), 32), torch.nan)
    run, batches = plan_texts(module, tokens, batch_size)
    for places, batch in batches:
        result[places] = run(batch)
    return result


CAUSAL = {
    "plain": {},
    "one layer": {"layers": 1},
    "end of text by its number": {"pool_type": "eos", "eos_id": 49407},
    "layer scale": {"ls_init_value": 0.3},
    "projection with bias": {"proj_bias": True},
    "blocks of another kind": {"block_type": "custom"},
}


@pytest.mark.parametrize("custom", [False, True])
@pytest.mark.parametrize("batch_size", [2, 100])
@pytest.mark.parametrize("change", CAUSAL.values(), ids=CAUSAL.keys())
def test_a_shortened_tower_gives_the_same_rows(custom, batch_size, change):
    module = build(custom, **change)
    assert causal_tower(module) is not None
    tokens = tokenizer()(TEXTS)
    expected = module.encode_text(tokens)
    torch.testing.assert_close(encode(module, tokens, batch_size), expected, rtol=1e-5, atol=2e-6)


OTHERS = {
    "no causal mask": {"no_causal_mask": True},
    "read out at the last place": {"pool_type": "last"},
    "a class token": {"embed_cls": True},
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_other_towers_run_as_they_are(change):
    module = build(custom=True, **change)
    assert causal_tower(module) is None
    tokens = tokenizer()(TEXTS)
    torch.testing.assert_close(encode(module, tokens, 2), module.encode_text(tokens))


@pytest.mark.parametrize("change", [*CAUSAL.values(), *OTHERS.values()], ids=[*CAUSAL, *OTHERS])
def test_a_tower_on_a_gpu_gives_the_same_rows(change):
    module, tokens = build(custom=True, **change), tokenizer()(TEXTS)
    wanted = encode(module, tokens, 4)
    with pretended_gpu():
        run, batches = plan_texts(module.to("cuda"), tokens, 4)
        found = torch.full((len(tokens), 32), torch.nan, device="cuda")
        for places, batch in batches:
            found[places] = run(batch.to("cuda"))
        found = found.cpu()
    torch.testing.assert_close(found, wanted)


def test_towers_that_only_look_alike_run_as_they_are():
    class Own(open_clip.CLIP):
        def encode_text(self, text, normalize=False):
            return super().encode_text(text, normalize)

    own, masked = build(), build()
    own.__class__ = Own
    masked.attn_mask[3, 5] = 0
    for module in (own, masked, torch.nn.Linear(2, 2)):
        assert causal_tower(module) is None


def test_what_follows_the_end_of_a_text_changes_nothing():
    module = build()
    tokens = tokenizer()(TEXTS[:6])
    lengths = causal_tower(module).lengths(tokens)
    noise = torch.randint(1, 49000, tokens.shape)
    filled = torch.where(torch.arange(20) < lengths[:, None], tokens, noise)
    assert not torch.equal(filled, tokens)
    torch.testing.assert_close(module.encode_text(filled), module.encode_text(tokens))


def test_a_model_encodes_texts_as_its_tower_does():
    model = gu.load_model("tiny-openmoji", device="cpu")
    texts = [text.format(name) for text in ("{}", "a photo of a {}.") for name in TEXTS]
    expected = normalize(model.module.encode_text(model.tokenizer(texts)), dim=1)
    for size in (1, 5, 1000):
        rows = model.encode_texts(texts, batch_size=size)
        torch.testing.assert_close(rows, expected, rtol=0, atol=1e-6)


def test_low_precision_stays_close():
    model = gu.load_model("tiny-openmoji", device="cpu", precision="bf16")
    with torch.autocast("cpu", torch.bfloat16):
        expected = model.module.encode_text(model.tokenizer(TEXTS))
    rows = model.encode_texts(TEXTS)
    assert float((rows - normalize(expected.float(), dim=1)).abs().max()) < 0.02


# Tokens.


@settings(deadline=None)
@given(st.lists(st.text() | st.text("aB e'<&1.;\x7f\t~_-", max_size=40), max_size=4))
@example(TEXTS)
def test_words_looked_up_are_the_same_tokens(texts):
    for clean in ("lower", "whitespace", "canonicalize"):
        own = tokenizer(clean=clean)
        if texts:
            assert torch.equal(tokenize(own, texts), own(texts))


def test_each_word_is_split_once():
    class Counting(dict):
        asked = 0

        def __contains__(self, key):
            Counting.asked += 1
            return super().__contains__(key)

    own = SimpleTokenizer(context_length=20)
    own.cache = Counting(own.cache)
    first = tokenize(own, ["a red cat.", "a red dog."] * 50)
    assert Counting.asked == 6, "a, red, cat and its stop, dog and its stop"
    assert torch.equal(tokenize(own, ["a red cat.", "a red dog."] * 50), first)
    assert Counting.asked == 6


def test_other_tokenizers_are_called():
    class Own(SimpleTokenizer):
        def __call__(self, texts):
            return torch.tensor([[len(text)] for text in texts])

    reducing = SimpleTokenizer(context_length=8, reduction_mask="simple")
    assert tokenize(Own(context_length=20), ["abc", "d"]).tolist() == [[3], [1]]
    long = ["a b c d e f g h i j k"]
    torch.manual_seed(0)
    assert tokenize(reducing, long).shape == (1, 8)
    assert tokenize(lambda texts: torch.zeros(len(texts), 3), long).shape == (1, 3)
