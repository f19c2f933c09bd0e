"""Closing methods side by side: what each does to accuracy, rankings and robustness."""

from __future__ import annotations

import pandas as pd


def winners(frame: pd.DataFrame, variance: float) -> pd.DataFrame:
    """Who comes first in a table of `compare`, by question (rows) and scoring (columns).

    Questions: clean accuracy, robustness at `variance`, the same among methods that change no
    answer, and accuracy at `variance`. Methods within 0.0005 of the best share a place; each cell
    names them with the value.
    """
    kept = frame[frame["agreement"] == 1]
    questions = {
        "clean accuracy": (frame, "accuracy"),
        f"robustness at {variance:g}": (frame, f"robustness@{variance:g}"),
        "robustness, no answer changed": (kept, f"robustness@{variance:g}"),
        f"accuracy at {variance:g}": (frame, f"accuracy@{variance:g}"),
    }
    table = {
        question: {scoring: _first(part, column) for scoring, part in rows.groupby("scoring")}
        for question, (rows, column) in questions.items()
    }
    return pd.DataFrame(table).T[list(dict.fromkeys(frame["scoring"]))]


def _first(rows: pd.DataFrame, column: str) -> str:
    best = float(rows[column].max())
    names = rows.loc[rows[column] > best - 5e-4, "method"]
    return f"{', '.join(names)} ({best:.3f})"
