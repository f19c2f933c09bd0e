"""Runs of one page, a row for each model."""

from __future__ import annotations

from typing import Any

import pandas as pd


def one_row_a_run(results: pd.DataFrame) -> pd.DataFrame:
    """Runs of the page *One model in numbers*, one row each: parameters, values, `name`, `kind`.

    `kind` is "published", "published, random", "training history" or "trained for this page".
    """
    rows = results[results["page"] == "one_model"]
    values = rows.pivot(index="run", columns="name", values="value").drop(columns="one_name")
    names = rows[rows["name"] == "one_name"].set_index("run")["text"].astype(str)
    given = [c for c in rows.columns if c not in ("page", "name", "value", "text")]
    parameters = rows[given].drop_duplicates("run").set_index("run")
    frame = parameters.join(values)
    frame.insert(0, "name", names)
    frame.insert(0, "kind", [_kind(row) for row in parameters.to_dict("records")])
    return frame.sort_values(["kind", "name"]).reset_index(drop=True)


def _kind(parameters: dict[Any, Any]) -> str:
    published = parameters.get("published")
    if isinstance(published, str) and published:
        return "published, random" if published.endswith("-random") else "published"
    trained = parameters.get("train_steps")
    return "trained for this page" if trained and not pd.isna(trained) else "training history"
