"""Bars where a person looks at them, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from gaputils import _progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "disable", "setting", "shown"),
    [
        (True, None, None, True),
        (False, None, None, False),
        (True, None, "0", False),
        (True, None, "no", False),
        (False, None, "1", True),
        (True, "1", None, False),
        (False, "true", "1", False),
        (True, "0", None, True),
        (True, "False", None, True),
    ],
)
def test_a_terminal_shows_bars_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    disable: str | None,
    setting: str | None,
    shown: bool,
) -> None:
    for name, value in (("TQDM_DISABLE", disable), ("GAPUTILS_PROGRESS", setting)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert _progress.wants_progress() is shown
    assert _progress.bar([1]).disable is not shown


def test_what_is_over_within_two_seconds_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("GAPUTILS_PROGRESS", "1")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert list(_progress.bar([3, 1, 2], desc="rows")) == [3, 1, 2]
    assert screen.getvalue() == ""


def test_without_blocks_a_bar_counts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAPUTILS_PROGRESS", "1")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with _progress.bar(total=5) as counted:
        counted.update(2)
        counted.update(3)
    assert counted.n == counted.total == 5
