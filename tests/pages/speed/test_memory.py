"""Peaks of processes whose use of memory is known."""

from __future__ import annotations

import pytest

from gaputils.pages.speed.memory import peak_memory


def test_the_peak_rises_by_what_is_held_for_a_moment() -> None:
    peak = peak_memory("b'1' * 300_000_000", setup="part = bytes(1000)")
    assert 299 < peak.after - peak.before < 310
    assert peak.seconds > 0


def test_what_was_freed_before_is_in_the_peak_before() -> None:
    peak = peak_memory("b'1' * 50_000_000", setup="b'1' * 200_000_000")
    assert peak.after - peak.before < 1
    assert peak.before > 200


def test_what_the_code_prints_does_not_disturb() -> None:
    assert peak_memory("print('1 2 3', end='')").seconds < 10


def test_a_failing_process_says_why() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)code: the process ended with 1: .*no such thing"):
        peak_memory("raise LookupError('no such thing')")
