"""Timings that can be compared: contenders take turns, and each round gives its own ratio."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from gaputils._checks import choice, integer

Call = Callable[[], object]


def compare_times(calls: Mapping[str, Call], *, rounds: int = 7) -> pd.DataFrame:
    """Seconds of each call, a row a round and a column a name.

    Every call is made once unmeasured. Then in each round all are made one after the other, in an
    order that is drawn anew, so that what else the machine does meanwhile, and what a call leaves
    behind (threads that still wait for work), falls on all of them alike. Work that a GPU still
    has to do is waited for.

    Raises `ValueError` if there are no calls or `rounds` is not positive.
    """
    rounds = integer("rounds", rounds, low=1)
    names = list(calls)
    if not names:
        raise ValueError("calls: expected at least one call, got none")
    for call in calls.values():
        call()
    rows = []
    random = np.random.default_rng(0)
    for _ in range(rounds):
        seconds = {name: seconds_of(calls[name]) for name in random.permutation(names).tolist()}
        rows.append([seconds[name] for name in names])
    return pd.DataFrame(rows, columns=pd.Index(names), index=pd.RangeIndex(rounds, name="round"))


def ratios(seconds: pd.DataFrame, to: str) -> pd.DataFrame:
    """How many times as long as `to` each call of `compare_times` took, a row a call.

    Columns: `median_s`; `ratio`, the median over rounds of the ratio within the round; and
    `ratio_low`, `ratio_high`, its quartiles.
    """
    choice("to", to, tuple(seconds.columns))
    relative = seconds.div(seconds[to], axis=0)
    table = pd.DataFrame(
        {
            "median_s": seconds.median(),
            "ratio": relative.median(),
            "ratio_low": relative.quantile(0.25),
            "ratio_high": relative.quantile(0.75),
        }
    )
    return table.rename_axis("call")


def quartiles(rounds: Iterable[float]) -> tuple[float, float, float]:
    """Lower quartile, median and upper quartile of what single rounds gave."""
    low, middle, high = np.quantile(list(rounds), (0.25, 0.5, 0.75)).tolist()
    return low, middle, high


def spread(rounds: Iterable[float], form: str = "{:.1f}") -> str:
    """Median and quartiles of `rounds` for a sentence, as "3.0 [2.5–3.5]"."""
    low, middle, high = map(form.format, quartiles(rounds))
    return f"{middle} [{low}–{high}]"


def growth(
    make: Callable[[int], Mapping[str, Call]], sizes: Sequence[int], *, rounds: int = 5
) -> pd.DataFrame:
    """Seconds of the calls that `make(size)` gives, a row for each size, call and round.

    Columns: `size`, `call`, `round`, `seconds`.
    """
    parts = []
    for size in sizes:
        wide = compare_times(make(integer("sizes", size, low=1)), rounds=rounds)
        tidy = wide.reset_index().melt("round", var_name="call", value_name="seconds")
        parts.append(tidy.assign(size=size))
    if not parts:
        raise ValueError("sizes: expected at least one size, got none")
    return pd.concat(parts, ignore_index=True)[["size", "call", "round", "seconds"]]


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Exponent of the growth of each call's cost, a row a call of `growth`.

    `slope` is the least-squares slope of log seconds over log size, fitted to the medians of the
    rounds; `slope_low` and `slope_high` are the least and greatest slope that a single round gives.
    Raises `ValueError` if there is only one size.
    """
    if table["size"].nunique() < 2:
        raise ValueError(f"table: expected at least two sizes, got {table['size'].unique()}")
    rows = {}
    for call, part in table.groupby("call", sort=False):
        wide = part.pivot(index="size", columns="round", values="seconds")
        x = np.log(wide.index.to_numpy(dtype=float))
        single = np.polyfit(x, np.log(wide.to_numpy()), 1)[0]
        middle = np.polyfit(x, np.log(wide.median(axis=1).to_numpy()), 1)[0]
        rows[call] = {"slope": middle, "slope_low": single.min(), "slope_high": single.max()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("call")


def operations(call: Call) -> int:
    """Floating-point operations of `call` in torch's matrix products and convolutions.

    A multiplication and an addition are two. All else is left out: element-wise functions,
    decompositions, and what other threads or libraries compute.
    """
    with FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops())


def machine_peaks(device: str | torch.device = "cpu", *, rounds: int = 5) -> dict[str, float]:
    """What `device` can do at best, in a second, the best of `rounds`.

    `flops` and `flops_double`: operations of one large matrix product in single and in double
    precision. `bytes`: read and written by copying 256 MB.
    """
    device = torch.device(device)
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device)
    b = a.double()
    source = torch.empty(2**26, device=device).fill_(1.0)
    target = torch.empty_like(source)
    calls: dict[str, Call] = {
        "single": lambda: a @ a,
        "double": lambda: b @ b,
        "copy": lambda: target.copy_(source),
    }
    seconds = compare_times(calls, rounds=rounds).min()
    return {
        "flops": 2 * size**3 / float(seconds["single"]),
        "flops_double": 2 * size**3 / float(seconds["double"]),
        "bytes": 2 * source.numel() * source.element_size() / float(seconds["copy"]),
    }


def seconds_of(call: Call) -> float:
    """Seconds that `call` takes, with what it leaves to a GPU."""
    _wait()
    started = time.perf_counter()
    call()
    _wait()
    return time.perf_counter() - started


_RIVALS = {
    "hull of 100,000 × 512: plain SVD": ("hull of 100,000 × 512", "plain SVD"),
    "hull of 100,000 × 512: Gram matrix": ("hull of 100,000 × 512", "Gram matrix"),
    "a loop beside a curve": ("robustness over alphas", "a loop of transformations"),
    "clip-benchmark's classifier, 1000 names × 80": (
        "1,000 names × 80 templates",
        "clip-benchmark",
    ),
    "a loop over 32 seeds beside the batch": ("simulation of 32 seeds", "a loop over seeds"),
    "statistics of 100,000 × 512 rows in memory: time of mean and cov": (
        "statistics of 100,000 rows",
        "NumPy's mean and cov",
    ),
    "statistics of 10,000,000 × 512 rows: time of only summing them": (
        "statistics of 10,000,000 rows",
        "only the sum",
    ),
}


def recorded_ratios() -> pd.DataFrame:
    """Those of `last_recorded` that hold a routine against an alternative, for `time_ratios`."""
    found = last_recorded().loc[list(_RIVALS), ["value", "low", "high"]]
    found.columns = pd.Index(["ratio", "ratio_low", "ratio_high"])
    return found.set_index(pd.MultiIndex.from_tuples(list(_RIVALS.values())))


def machine() -> dict[str, Any]:
    """The `cpu`, its `cores` that torch uses, the `gpu` (None without one), `python`, `torch`."""
    cuda = torch.cuda.is_available()
    return {
        "cpu": _cpu_name(),
        "cores": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def machine_name(device: str | torch.device = "cpu") -> str:
    """The processor and its cores in words, and the graphics card if `device` is one."""
    about = machine()
    name = f"{about['cpu']}, {about['cores']} cores"
    return name if torch.device(device).type == "cpu" else f"{name}, {about['gpu']}"


def recorded() -> pd.DataFrame:
    """What `make bench` measured, shipped with the package: a row a quantity and machine.

    Columns: `quantity`; `value`, the median over rounds; `low` and `high`, their quartiles (for an
    exponent, the least and greatest of a single round); `unit`; and the `machine`.
    """
    stored = files("gaputils") / "data" / "benchmarks.csv"
    with stored.open(encoding="utf-8") as file:
        return pd.read_csv(file)


def last_recorded() -> pd.DataFrame:
    """Of each quantity in `recorded`, which is the index, what was measured last."""
    return recorded().drop_duplicates("quantity", keep="last").set_index("quantity")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _cpu_name() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
