"""What the commands share: reading pairs, building methods, writing results, telling errors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

if TYPE_CHECKING:
    import pandas as pd

    from gaputils.closing import Closing
    from gaputils.embeddings import Embeddings

P = ParamSpec("P")


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what the package raises into one line on standard error and exit code 1."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
            typer.echo(f"gaputils: {error}", err=True)
            raise typer.Exit(1) from error

    return wrapped


def read(
    first: Path, second: Path | None, queries: str | None, gallery: str | None, targets: str | None
) -> Embeddings:
    """A pair from files, or from a folder that `gaputils embed` wrote."""
    from gaputils.storage.files import read_pair
    from gaputils.storage.folder import load_folder

    if first.is_dir():
        if any(given is not None for given in (second, queries, gallery, targets)):
            raise ValueError(
                f"{first}: a folder of shards holds both sides and names them itself; "
                f"leave out the second file and the names"
            )
        return load_folder(first)
    return read_pair(first, second, queries=queries, gallery=gallery, targets=targets)


def read_in_place(
    first: Path, second: Path | None, queries: str | None, gallery: str | None, targets: str | None
) -> Embeddings | tuple[Any, Any]:
    """As `read`, but the arrays of two .npy files stay where they are, as memory maps."""
    from gaputils.storage.files import _one

    if second is None or targets is not None or {first.suffix, second.suffix} != {".npy"}:
        return read(first, second, queries, gallery, targets)
    return _one(first, queries, "queries"), _one(second, gallery, "gallery")


def build_closing(
    method: str, n_components: str | None, alpha: float | None, radius: str | None, center: bool
) -> Closing:
    from gaputils import closing

    known = {
        name: value
        for name, value in vars(closing).items()
        if inspect.isclass(value) and issubclass(value, closing.Closing)
    }
    known.pop("Closing")
    if method not in known:
        raise ValueError(f"--method: expected one of {', '.join(sorted(known))}, got {method!r}")
    given = {
        "n_components": _number(n_components),
        "alpha": alpha,
        "radius": _number(radius),
        "center": center or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    taken = inspect.signature(known[method]).parameters
    for name in given:
        if name not in taken:
            raise ValueError(f"--{name.replace('_', '-')}: {method} has no such parameter")
    built: Closing = known[method](**given)
    return built


def _number(text: str | None) -> int | float | str | None:
    if text is None:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def check_format(name: str) -> str:
    if name not in ("table", "csv", "json"):
        raise ValueError(f"--format: expected table, csv or json, got {name!r}")
    return name


def require_folder(path: Path | None) -> None:
    if path is not None and not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} does not exist")


def write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text.rstrip("\n") + "\n")


def write_frame(frame: pd.DataFrame, form: str, out: Path | None) -> None:
    if form == "json":
        write(str(frame.to_json(orient="records", indent=2)), out)
    elif form == "csv":
        write(frame.to_csv(index=False), out)
    else:
        write(frame.to_string(index=False, float_format="{:.4f}".format), out)


def draw_clouds(e: Embeddings, path: Path, seed: int) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from gaputils import plots
    from gaputils.geometry import principal_coordinates

    plots.set_theme()
    components = min(3, e.dim)
    if components < 3:
        raise ValueError(f"--figure: needs at least 3 dimensions, got {e.dim}")
    ax = plots.clouds(principal_coordinates(e, seed=seed))
    try:
        ax.figure.savefig(path)
    except ValueError as error:
        raise ValueError(f"--figure: {error}") from error
