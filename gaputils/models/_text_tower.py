"""The text tower without the work that cannot reach its result."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class CausalTower:
    """A text tower of open_clip in which no token sees a later one, read out at one token.

    What follows that token changes nothing, so texts are cut there; texts of one length share a
    batch, with no padding. In the last block only that token is needed, so there it alone attends
    and passes the feed-forward layer.
    """

    tower: Any
    pool: str
    end: int | None

    def lengths(self, tokens: Tensor) -> Tensor:
        """(n,) tokens up to the one that is read out, of `tokens` (n, context length)."""
        marked = tokens if self.pool == "argmax" else tokens.eq(self.end or 0).int()
        return marked.argmax(dim=-1) + 1

    def __call__(self, tokens: Tensor) -> Tensor:
        """(n, d) features of `tokens` (n, length), every row read out at its last token."""
        tower, length = self.tower, tokens.shape[1]
        blocks = tower.transformer.resblocks
        dtype = tower.transformer.get_cast_dtype()
        x = tower.token_embedding(tokens).to(dtype)
        x = x + tower.positional_embedding[:length].to(dtype)
        mask = tower.attn_mask[:length, :length]
        for block in blocks[:-1]:
            x = block(x, attn_mask=mask)
        result: Tensor = tower.ln_final(_last_row(blocks[-1], x, mask))
        projection = tower.text_projection
        if projection is not None:
            linear = isinstance(projection, nn.Linear)
            result = projection(result) if linear else result @ projection
        return result


def _last_row(block: Any, x: Tensor, mask: Tensor) -> Tensor:
    """The last token's row (n, width) of ``block(x)``."""
    from open_clip.transformer import ResidualAttentionBlock

    if type(block) is not ResidualAttentionBlock or type(block.attn) is not nn.MultiheadAttention:
        whole: Tensor = block(x, attn_mask=mask)
        return whole[:, -1]
    seen, last = block.ln_1(x), x[:, -1:]
    last = last + block.ls_1(block.attn(seen[:, -1:], seen, seen, need_weights=False)[0])
    moved: Tensor = last + block.ls_2(block.mlp(block.ln_2(last)))
    return moved[:, 0]


def causal_tower(module: nn.Module) -> CausalTower | None:
    """The text tower of `module` if it is known to be causal and read out at one token.

    Nothing for all else (SigLIP, CoCa, Hugging Face towers, subclasses with an `encode_text` of
    their own), which is then to be run as it is.
    """
    if "open_clip" not in sys.modules:
        return None
    import open_clip
    from open_clip.transformer import TextTransformer, Transformer

    tower: Any = module
    if _runs(module, open_clip.CLIP, "encode_text"):
        pool, end = getattr(module, "text_pool_type", None), getattr(module, "text_eos_id", None)
    elif _runs(module, open_clip.CustomTextCLIP, "encode_text"):
        tower = module.text
        if not _runs(tower, TextTransformer, "forward") or tower.cls_emb is not None:
            return None
        if tower.output_tokens or getattr(tower, "use_pad_mask", False):
            return None
        pool, end = tower.pool_type, getattr(tower, "eos_id", None)
    else:
        return None
    if pool not in ("argmax", "eos") or (pool == "eos" and end is None):
        return None
    if not _runs(tower.transformer, Transformer, "forward") or not _is_causal(tower.attn_mask):
        return None
    if not tower.transformer.batch_first or not len(tower.transformer.resblocks):
        return None
    return CausalTower(tower, str(pool), end)


def _runs(module: Any, kind: type, method: str) -> bool:
    """Whether `method` of `module` is the one that `kind` defines."""
    return isinstance(module, kind) and getattr(type(module), method) is getattr(kind, method)


def _is_causal(mask: Any) -> bool:
    if not isinstance(mask, Tensor) or mask.ndim != 2:
        return False
    expected = torch.full_like(mask, float("-inf")).triu_(1)
    return torch.equal(mask, expected)


def plan_texts(
    module: nn.Module, tokens: Tensor, batch_size: int
) -> tuple[Callable[[Tensor], Tensor], Iterator[tuple[Tensor, Tensor]]]:
    """How to encode `tokens` (n, context length): a function of a batch, and the batches.

    A batch is its rows' places and its tokens, at most `batch_size` rows. The function returns what
    ``module.encode_text`` would, to within rounding.
    """
    tower = causal_tower(module)
    if tower is not None:
        return tower, _of_one_length(tokens, tower.lengths(tokens), batch_size)
    places = torch.split(torch.arange(len(tokens)), batch_size)
    return cast(Any, module).encode_text, ((some, tokens[some]) for some in places)


def _of_one_length(
    tokens: Tensor, lengths: Tensor, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    order = torch.argsort(lengths, stable=True)
    counts = torch.unique(lengths, return_counts=True)[1].tolist()
    for group in torch.split(order, counts):
        for some in torch.split(group, batch_size):
            yield some, tokens[some, : int(lengths[some[0]])]
