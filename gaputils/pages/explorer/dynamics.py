"""Training dynamics of free embeddings, in the plane and on the sphere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from gaputils import theory
from gaputils.pages.explorer.explorer import Explorer, explorer
from gaputils.pages.explorer.pictures import blank
from gaputils.plots.theme import COLOR

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

STEPS = (0, 30, 100, 300, 1000, 4000)
_POINTS = 24
# Hollow squares around the images' dots: where the two coincide, both are seen.
_HOLLOW: dict[str, Any] = {"facecolors": "none", "edgecolors": COLOR["text"], "marker": "s"}


def training_dynamics(
    sphere: bool = False,
    *,
    gaps: Sequence[float] = (0.5, 1.0, 1.5),
    temperatures: Sequence[float] = (0.02, 0.1, 0.5),
    seed: int = 0,
    face: str = "auto",
) -> Explorer:
    """Gradient descent from two clusters: the points beside loss and gap, at one recorded step.

    `gaps` are distances of the two means at the start, `temperatures` the tau of the loss. In the
    plane points move freely; with `sphere` they stay on the unit sphere of three dimensions.
    """

    def show(gap: float, tau: float, step: int) -> tuple[Any, str]:
        return _draw(gap, tau, step, sphere, seed)

    place = "on the sphere" if sphere else "in the plane"
    return explorer(
        show,
        description=f"Training two modalities {place}",
        names={"gap": "gap at the start", "tau": "temperature", "step": "training step"},
        start={"gap": gaps[-1], "tau": temperatures[len(temperatures) // 2]},
        free={"gap": (0.1, 1.9), "tau": (0.01, 1.0)},
        face=face,
        colours=48,
        gap=gaps,
        tau=temperatures,
        step=STEPS,
    )


def gap_by_setting(
    sphere: bool = False,
    gaps: Sequence[float] = (0.5, 1.5),
    temperatures: Sequence[float] = (0.02, 0.1, 0.5),
    seed: int = 0,
) -> pd.DataFrame:
    """The gap of the drawn runs, a row for each start and temperature, a column for each step."""
    import pandas as pd

    rows = []
    for gap in gaps:
        for tau in temperatures:
            table = _run(gap, tau, sphere, seed)[2].set_index("step")["gap"]
            told = {"sphere": sphere, "gap": gap, "temperature": tau}
            rows.append(told | {step: float(table[step]) for step in STEPS})
    return pd.DataFrame(rows)


@lru_cache(maxsize=64)
def _run(gap: float, tau: float, sphere: bool, seed: int) -> tuple[Any, Any, pd.DataFrame]:
    """Points (T, N, d) of both modalities at `STEPS`, and the measures at many steps."""
    d = 3 if sphere else 2
    x, y = theory.two_clusters(1, _POINTS, d, gap=gap, spread=0.12, sphere=sphere, seed=seed)
    kept = sorted({*STEPS, *np.geomspace(1, STEPS[-1], 40).astype(int).tolist()})
    run = theory.simulate(x, y, tau=tau, lr=tau / 4, steps=STEPS[-1], sphere=sphere, record=kept)
    shown = [run.steps.index(step) for step in STEPS]
    return run.x[shown, 0].numpy(), run.y[shown, 0].numpy(), run.frame()


def _draw(gap: float, tau: float, step: int, sphere: bool, seed: int) -> tuple[Any, str]:
    """The figure of one setting, and what it shows in words."""
    x, y, table = _run(gap, tau, sphere, seed)
    t = STEPS.index(step)
    row = table[table["step"] == step].iloc[0]
    figure = blank(5.6, 2.9)
    grid = figure.add_gridspec(2, 2, wspace=0.36, hspace=0.12)
    grid.update(left=0.03, bottom=0.19, right=0.98, top=0.95)
    if sphere:
        _ball(figure.add_subplot(grid[:, 0], projection="3d"), x[t], y[t])
    else:
        reach = 1.1 * max(np.abs(x).max(), np.abs(y).max())
        _plane(figure.add_subplot(grid[:, 0]), x[t], y[t], reach)
    above = figure.add_subplot(grid[0, 1])
    _curve(above, table, step, "loss")
    above.set(ylim=(1e-4, 100), yticks=(1e-4, 1e-2, 1, 100))
    above.tick_params(labelbottom=False)
    below = figure.add_subplot(grid[1, 1])
    _curve(below, table, step, "gap")
    below.set(xlabel="training step + 1", ylim=(-0.05, 1.65))
    told = (
        f"Start {gap:g} apart, temperature {tau:g}, step {step}: loss {row['loss']:.3g}, "
        f"gap {row['gap']:.2f}, {100 * row['matched']:.0f} % of points nearest to their pair."
    )
    return figure, told


def _plane(ax: Axes, x: Any, y: Any, reach: float) -> None:
    """Both modalities in the plane, pairs joined, the gap as an arrow."""
    from matplotlib.collections import LineCollection

    ax.add_collection(
        LineCollection(list(np.stack([x, y], 1)), colors="0.75", linewidths=0.6, zorder=1)
    )
    ax.scatter(x[:, 0], x[:, 1], s=22, color=COLOR["image"], label="images", zorder=2)
    ax.scatter(y[:, 0], y[:, 1], s=42, label="texts", zorder=3, **_HOLLOW)
    start, end = x.mean(0), y.mean(0)
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "->", "lw": 1.8, "color": "black"}, zorder=3
    )
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, handletextpad=0.2)


def _ball(ax: Any, x: Any, y: Any) -> None:
    """Both modalities on the unit sphere, pairs joined, the gap as a line."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]

    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    ball = np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)
    ax.plot_wireframe(*ball, color="0.85", lw=0.4)
    ax.add_collection3d(Line3DCollection(np.stack([x, y], 1), colors="0.6", linewidths=0.6))
    ax.scatter(*x.T, s=20, color=COLOR["image"], label="images", depthshade=False)
    ax.scatter(*y.T, s=40, label="texts", depthshade=False, **_HOLLOW)
    ax.plot(*zip(x.mean(0), y.mean(0), strict=True), color="black", lw=2)
    ax.view_init(elev=25, azim=-80)
    ax.set_box_aspect((1, 1, 1), zoom=1.35)
    ax.set_axis_off()
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.04), ncols=2, handletextpad=0.2)


def _curve(ax: Axes, table: pd.DataFrame, step: int, name: str) -> None:
    """One measure over training; the recorded step that is shown is marked."""
    ax.plot(table["step"] + 1, table[name], color=COLOR["gap"])
    now = table.loc[table["step"] == step, name].iloc[0]
    ax.plot([step + 1], [now], "o", color=COLOR["gap"])
    ax.axvline(step + 1, color="0.8", lw=1, zorder=0)
    ax.set(xscale="log", ylabel=name, yscale="log" if name == "loss" else "linear")
    ax.minorticks_off()
