"""Questions about images with several answers to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gaputils.datasets.base import Images

PROMPT = "{question} {choice}"


@dataclass(frozen=True)
class ChoiceDataset:
    """Images with one question each and k answers to choose from, one of them right.

    `options` holds the k answers of each of the n questions and `answers` (n,) the place of the
    right one, or nothing if it is not published. An image may occur several times.
    """

    name: str
    images: Images
    questions: Sequence[str]
    options: Sequence[Sequence[str]]
    answers: Tensor | None
    split: str = ""
    info: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def prompts(self, prompt: str = PROMPT) -> list[list[str]]:
        """The n × k texts that an image is compared with: `prompt` filled with each answer.

        `prompt` has a ``{choice}``, and a ``{question}`` unless the question is to be left out.
        """
        if not isinstance(prompt, str) or prompt.count("{choice}") != 1:
            raise ValueError(f"prompt: expected exactly one '{{choice}}', got {prompt!r}")
        before, after = prompt.split("{choice}")
        return [
            [
                before.replace("{question}", question)
                + choice
                + after.replace("{question}", question)
                for choice in some
            ]
            for question, some in zip(self.questions, self.options, strict=True)
        ]

    def __repr__(self) -> str:
        sizes = f"questions={len(self)}, options={len(self.options[0]) if self.options else 0}"
        return f"ChoiceDataset({self.name!r}, split={self.split!r}, {sizes})"
