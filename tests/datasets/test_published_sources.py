"""The table of published embeddings: each file pinned, each place its own."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from gaputils.datasets._published_sources import File, sources

KINDS = [{"pair"}, {"gram"}, {"queries", "gallery"}, {"rows"}]
every = pytest.mark.parametrize("name", sources())


@every
def test_its_files_are_pinned_to_a_commit_and_a_checksum(name: str) -> None:
    source = sources()[name]
    assert set(source.sides) in KINDS
    assert source.files
    for file in (*source.files, *filter(None, [source.reference])):
        commit = re.search(r"/([0-9a-f]{40})/", file.url)
        assert commit is not None
        assert commit[1] == source.facts["commit"]
        assert source.facts["repository"] in file.url
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert not file.place.startswith("/")
        assert ".." not in file.place.split("/")


@every
def test_it_says_what_a_reader_has_to_know(name: str) -> None:
    source = sources()[name]
    facts = source.facts
    assert facts["name"] == source.name == name
    assert facts["source"] == source.files[0].url
    for key in ("title", "model", "data", "licence", "citation"):
        assert isinstance(facts[key], str), key
        assert facts[key].strip(), key
    assert facts["modalities"] == list(source.modalities)
    assert source.one_sided == (len(source.modalities) == 1)
    assert source.dim > 1
    assert ("exact_up_to" in facts) == ("gram" in source.sides)
    assert facts["doubts"] == facts["doubts"].strip()


def test_one_place_in_the_cache_is_one_file() -> None:
    files: set[File] = {file for source in sources().values() for file in source.files}
    files |= {source.reference for source in sources().values() if source.reference}
    for read in (lambda file: file.place, lambda file: file.url):
        twice = [place for place, count in Counter(map(read, files)).items() if count > 1]
        assert twice == []


def test_the_table_is_read_once() -> None:
    assert sources() is sources()
