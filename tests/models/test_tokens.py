"""Tokens looked up word by word: padded, cut, and kept no longer than there is room."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import SimpleTokenizer

from gaputils.models import _tokens
from gaputils.models._tokens import tokenize


@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=5),
    st.integers(1, 8),
)
def test_rows_are_padded_with_zeros_or_cut_at_the_end_token(
    rows: list[list[int]], context: int
) -> None:
    expected = []
    for row in rows:
        cut = row if len(row) <= context else [*row[: context - 1], 99]
        expected.append(cut + [0] * (context - len(cut)))
    found = _tokens._padded([list(row) for row in rows], context, 99)
    assert found.dtype == torch.int64
    assert found.tolist() == expected


@pytest.fixture(scope="module")
def short() -> SimpleTokenizer:
    return SimpleTokenizer(context_length=6)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text("ab .,", max_size=60), min_size=1, max_size=4))
def test_a_text_longer_than_the_context_is_cut_as_open_clip_cuts(
    short: SimpleTokenizer, texts: list[str]
) -> None:
    assert torch.equal(tokenize(short, texts), short(texts))


def test_words_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tokens, "_WORDS_KEPT", 3)
    own = SimpleTokenizer(context_length=20)
    texts = ["one two three", "four five six", "one four"]
    for _ in range(3):
        assert torch.equal(tokenize(own, texts), own(texts))
        tokenize(own, ["seven"])
        assert len(_tokens._caches[own]) == 1


def test_a_cache_ends_with_its_tokenizer() -> None:
    own = SimpleTokenizer(context_length=20)
    tokenize(own, ["a word"])
    before = len(_tokens._caches)
    del own
    assert len(_tokens._caches) == before - 1


def test_whether_capitals_count_is_the_tokenizers_own() -> None:
    assert _tokens._lowers(SimpleTokenizer(clean="lower")) is True
    assert _tokens._lowers(SimpleTokenizer(clean="whitespace")) is False
    assert _tokens._lowers(SimpleTokenizer(clean="canonicalize")) is None
    assert _tokens._lowers(lambda texts: torch.zeros(len(texts), 1)) is None
