"""What people ask is found by the words that they ask it with.

The site's search wants every word of a query on one page, and puts pages first that have them in a
title or a heading. So each question here, in the words of those who asked it on the trackers of
CLIP and its kin, has to meet a heading or the first paragraph under it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

stemmer = pytest.importorskip("snowballstemmer", reason="the site's search stems by it")
english = pytest.importorskip("sphinx.search.en", reason="the site's search leaves words out")

ROOT = Path(__file__).resolve().parents[2]
STEM = stemmer.stemmer("english")


class Question(NamedTuple):
    """A search, and the page and heading that answer it."""

    words: str
    page: str
    heading: str


QUESTIONS = (
    Question("why are image text cosines only 0.2", "scores", "Why are image–text cosines"),
    Question("cosine similarity threshold match cutoff", "scores", "Which threshold"),
    Question("is the right answer in the gallery", "scores", "Is the right answer"),
    Question("none of my labels fits single label probability", "scores", "None of my labels"),
    Question("siglip probabilities near zero bias", "scores", "Why are SigLIP"),
    Question("normalise before or after averaging", "scores", "Do I normalise first"),
    Question("average or concatenate image with text", "scores", "May I average"),
    Question("swap text embedding for image embedding", "scores", "May I swap"),
    Question("whose mean do I subtract how many rows", "scores", "Whose mean"),
    Question("text queries rank texts above images index", "mixed_galleries", "Mixed galleries"),
    Question("texts fill the top of a mixed index", "mixed_galleries", "Mixed galleries"),
    Question("classifier trained on texts used on images", "groups", "Can a classifier"),
    Question("clusters images and texts", "groups", "Do clusters mix"),
    Question("embeddings differ between runtimes do rankings survive", "real_changes", "runtimes"),
    Question("rephrasing captions changes answers", "real_changes", "Rephrasing"),
    Question("quantised vector store", "compressed_indexes", "Compressed indexes"),
    Question("int8 codes of vector stores", "compressed_indexes", "Compressed indexes"),
    Question("binary quantization rerank floats", "compressed_indexes", "Compressed indexes"),
    Question("faiss index product quantization", "compressed_indexes", "Compressed indexes"),
)


def stems(text: str) -> set[str]:
    """The words of `text` as the search's index has them."""
    found = re.findall(r"\w+(?:\.\d+)?", re.sub(r"[-–]", " ", text.lower()))
    return {STEM.stemWord(word) for word in found if word not in english.english_stopwords}


def sections(page: str) -> dict[str, str]:
    """Each heading of a page, with the text below it up to its first code or, in the first section,
    up to the next heading.
    """
    source = (ROOT / "notebooks" / f"{page}.md").read_text(encoding="utf-8")
    source = re.sub(r"^---\n.*?\n---\n", "", source, count=1, flags=re.DOTALL)
    source = re.sub(r"^```\{code-cell\}.*?^```$", "\0", source, flags=re.DOTALL | re.MULTILINE)
    parts = re.split(r"^#+ (.+)$", source, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (_opening(text) for text in parts[1::2]), strict=True))


def _opening(text: str) -> str:
    """The first paragraph, or the box, that comes after a heading, and the next one."""
    blocks = [part.strip("\0\n ") for part in re.split(r"\n\n|\0", text)]
    return "\n".join([block for block in blocks if block][:2])


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.words)
def test_a_question_meets_its_heading(question: Question) -> None:
    found = [item for item in sections(question.page).items() if question.heading in item[0]]
    assert len(found) == 1, question.heading
    (heading, text) = found[0]
    assert stems(question.words) <= stems(f"{heading}\n{text}")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.words)
def test_no_other_page_has_a_better_heading(question: Question) -> None:
    """No heading of another page shares more words with the question than one of its own page."""
    asked = stems(question.words)
    shared = {
        page.stem: max(len(asked & stems(heading)) for heading in sections(page.stem))
        for page in sorted((ROOT / "notebooks").glob("[a-z]*.md"))
    }
    best = max(shared.values())
    assert shared[question.page] == best, [page for page in shared if shared[page] == best]


def test_every_question_of_the_page_on_scores_is_searched_for() -> None:
    asked = {q.heading for q in QUESTIONS if q.page == "scores"}
    headings = [name for name in sections("scores") if name.endswith("?")][1:]
    assert [name for name in headings if not any(part in name for part in asked)] == []
