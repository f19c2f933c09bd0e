"""Tokenising many prompts: words are looked up, not split again, where that is the same."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

_caches: WeakKeyDictionary[Any, dict[str, list[int]]] = WeakKeyDictionary()
_WORDS_KEPT = 2**17


def tokenize(tokenizer: Callable[[list[str]], Tensor], texts: Sequence[str]) -> Tensor:
    """What ``tokenizer(texts)`` returns (n, context length), faster for open_clip's own BPE.

    That tokenizer repairs, lowers and splits each text, and no token of it crosses a space. In
    printable ASCII without ``&`` there is nothing to repair, so that the tokens of a text are those
    of its words one after the other, and a word is split once, however many prompts it is in. Any
    other text, and any other tokenizer, goes through `tokenizer` itself.
    """
    lower = _lowers(tokenizer)
    if lower is None or not texts:
        return tokenizer(list(texts))
    known: Any = tokenizer
    cache = _caches.setdefault(tokenizer, {})
    if len(cache) > _WORDS_KEPT:
        cache.clear()
    rows = []
    for text in texts:
        if text.isascii() and text.isprintable() and "&" not in text:
            row = [known.sot_token_id]
            for word in (text.lower() if lower else text).split():
                pieces = cache.get(word)
                if pieces is None:
                    pieces = cache[word] = known.encode(word)
                row += pieces
        else:
            row = [known.sot_token_id, *known.encode(text)]
        row.append(known.eot_token_id)
        rows.append(row)
    return _padded(rows, known.context_length, known.eot_token_id)


def _padded(rows: list[list[int]], context: int, end: int) -> Tensor:
    for row in rows:
        if len(row) > context:
            del row[context:]
            row[-1] = end
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    result = np.zeros((len(rows), context), np.int64)
    filled = np.arange(context) < lengths[:, None]
    result[filled] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
    return torch.from_numpy(result)


def _lowers(tokenizer: Any) -> bool | None:
    """Whether `tokenizer` lowers its texts; nothing if it is not known to work word by word."""
    if "open_clip" not in sys.modules:
        return None
    from open_clip import tokenizer as known

    if type(tokenizer) is not known.SimpleTokenizer or not tokenizer.context_length:
        return None
    if getattr(tokenizer, "reduction_fn", None) is not None:
        return None
    clean = getattr(tokenizer, "clean_fn", None)
    for name, lower in (("lower", True), ("whitespace", False)):
        if clean is not None and clean is known.get_clean_fn(name):
            return lower
    return None
