"""What the commands share: reading pairs, building closings, writing results, telling errors."""

from __future__ import annotations

import functools
import inspect
import io
import json
import math
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TextIO

import typer
from typer.core import TyperGroup

from gaputils._extras import require_extra

if TYPE_CHECKING:
    import pandas as pd

    from gaputils.closing import Closing
    from gaputils.embeddings import Embeddings

P = ParamSpec("P")

INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes as a shell gives them for Ctrl-C and for a reader of the output that has ended."""

_TOLD = (ValueError, TypeError, OSError, ModuleNotFoundError)
_REPORT = (
    "gaputils: this is a fault of gaputils, not of your input. Please report it, with the command "
    "and the lines above, at https://github.com/gaputils/modality-gap"
)


class Commands(TyperGroup):
    """The commands, on any terminal: what it cannot show is shown as a question mark."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="replace")
        with _quiet_when_nobody_reads():
            return super().main(*args, **kwargs)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "" in args:
            before = args[args.index("") - 1]
            raise typer.BadParameter(f"expected a value after {before}, got an empty one")
        return super().parse_args(ctx, args)


def reports_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what the package raises into one line on standard error and exit code 1.

    Its own errors and the system's are the user's to act on. What else is raised is a fault of
    this package: its traceback stays, and a line says where to report it.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with _quiet_when_nobody_reads(), _warnings_in_one_line():
                command(*args, **kwargs)
        except KeyboardInterrupt as error:
            typer.echo(f"gaputils: stopped{_resumes(command.__name__, kwargs)}", err=True)
            raise typer.Exit(INTERRUPTED) from error
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:
            told = in_one_line(error)
            if told is None:
                traceback.print_exc()
            typer.echo(_REPORT if told is None else f"gaputils: {told}", err=True)
            raise typer.Exit(1) from error

    return wrapped


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """What the package warns of as it tells an error, without the place in its code."""
    with warnings.catch_warnings():
        before = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if category.__module__.partition(".")[0] == "gaputils":
                typer.echo(f"gaputils: {message}", err=True)
            else:
                before(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        yield


def in_one_line(error: Exception) -> str | None:
    """What to tell the user of `error`; nothing if it is none that the user can act on."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        return f"there is not enough memory: {text or 'take less at a time'}"
    if not isinstance(error, _TOLD):
        return None
    return text or type(error).__name__


def _is_out_of_memory(error: Exception) -> bool:
    words = ("out of memory", "can't allocate memory")
    return isinstance(error, RuntimeError) and any(some in str(error) for some in words)


def _resumes(command: str, options: Mapping[str, Any]) -> str:
    """What is kept of a stopped command."""
    one_file = command == "embed" and Path(options["out"]).suffix == ".safetensors"
    if command not in ("sweep", "train", "embed") or one_file:
        return ""
    return "; what was done is kept: run the same command again to resume"


@contextmanager
def _quiet_when_nobody_reads() -> Iterator[None]:
    """End without a word if the reader of the output has ended, as ``head`` does."""
    try:
        yield
    except BrokenPipeError as error:
        if error.filename is not None:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)


def read_in_place(
    first: Path,
    second: Path | None,
    queries: str | None,
    gallery: str | None,
    targets: str | None,
    owners: str | None,
    normalize: bool,
) -> Embeddings | tuple[Any, ...]:
    """As `read_pair`, but the arrays of two .npy files stay where they are, as memory maps."""
    from gaputils.storage.files import read_pair, read_sides

    names = {"queries": queries, "gallery": gallery, "targets": targets}
    if second is None or {first.suffix, second.suffix} != {".npy"} or normalize or owners:
        return read_pair(first, second, **names, owners=owners, normalize=normalize)
    found = read_sides(first, second, **names)
    given = (found.queries, found.gallery, found.targets)
    return given if targets else given[:2]


def closing_of(closing: str | None, method: str | None) -> str | None:
    """The name of the closing, also by the option's old name."""
    if method is None:
        return closing
    if closing is not None:
        raise ValueError("--closing, --method: they are the same; leave out --method")
    typer.echo("gaputils: --method is deprecated and will go; use --closing", err=True)
    return method


def settings_of(
    n_components: str | None, alpha: float | None, radius: str | None, center: bool
) -> dict[str, Any]:
    """The parameters of a closing that are given, by their names."""
    every = {
        "n_components": _number(n_components),
        "alpha": alpha,
        "radius": _number(radius),
        "center": center or None,
    }
    return {name: value for name, value in every.items() if value is not None}


def build_closing(name: str, settings: Mapping[str, Any]) -> Closing:
    from gaputils import closing

    known = closing.registered()
    known.pop("MixedGallery")  # what `gaputils mix` does
    if name not in known:
        raise ValueError(f"--closing: expected one of {', '.join(sorted(known))}, got {name!r}")
    taken = inspect.signature(known[name]).parameters
    for setting in settings:
        if setting not in taken:
            raise ValueError(f"{_option(setting)}: {name} has no such parameter")
    built: Closing = known[name](**settings)
    return built


def refuse_settings(settings: Mapping[str, Any]) -> None:
    """Raise `ValueError` if there are `settings`, where there is no closing that takes them."""
    if settings:
        options = ", ".join(map(_option, settings))
        raise ValueError(f"{options}: expected a --closing that takes it, got none")


def _option(setting: str) -> str:
    return f"--{setting.replace('_', '-')}"


def _number(text: str | None) -> int | float | str | None:
    if text is None:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


@contextmanager
def called(argument: str, own: str = "name") -> Iterator[None]:
    """What the library calls by a name of its `own`, in an error, is the command's `argument`."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        if not str(error).startswith(f"{own}: "):
            raise
        raise type(error)(f"{argument}{str(error).removeprefix(own)}") from error


def load_closing(path: Path) -> Closing:
    """The fitted closing that `--load` names."""
    from gaputils.closing import load

    with called("--load", "path"):
        return load(path)


def check_format(name: str) -> str:
    if name not in ("table", "csv", "json"):
        raise ValueError(f"--format: expected table, csv or json, got {name!r}")
    return name


def require_folder(path: Path) -> None:
    """Raise `OSError`, before anything is computed, if no file `path` can be written."""
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} does not exist")
    if path.is_file() or not path.exists():  # no folder, pipe or terminal
        from gaputils._files import require_writable

        require_writable(path)


def require_outputs(
    outputs: Mapping[str, Path | None], inputs: Iterable[str | os.PathLike[str] | None]
) -> None:
    """Raise unless the `outputs`, by their options, can be written without loss of an input.

    `--save` is where a closing is kept.
    """
    from gaputils._files import require_safetensors_name
    from gaputils.storage.files import SUFFIXES

    read_from = [Path(one) for one in inputs if one is not None and Path(one).exists()]
    options: dict[Path, str] = {}
    for option, path in outputs.items():
        if path is None:
            continue
        require_folder(path)
        place = path.resolve()
        twin = options.setdefault(place, option)
        if twin != option:
            raise ValueError(f"{option}: {path} is {twin} too; name another file")
        around = next((one for one in read_from if one.resolve() in place.parents), None)
        if around is not None and path.suffix in SUFFIXES:
            raise ValueError(
                f"{option}: {path} would be one of the files of {around}, which is read here; name "
                f"another place"
            )
        if not path.exists():
            continue
        lost = next((one for one in read_from if path.samefile(one)), None)
        if lost is not None:
            raise ValueError(f"{option}: {path} is read here and would be lost; name another file")
        if path.is_dir():
            raise IsADirectoryError(f"{option}: expected a file, but {path} is a folder")
    if (closing := outputs.get("--save")) is not None:
        require_safetensors_name("--save", closing)


def write(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text)
    elif out.exists() and not out.is_file():  # a pipe, or the terminal
        out.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    else:
        from gaputils._files import write_text

        write_text(out, text.rstrip("\n") + "\n")


def write_json(content: Any, out: Path | None) -> None:
    """Write `content` as JSON, which knows neither NaN nor infinity: null stands for them."""
    write(json.dumps(_as_json(content), indent=2, allow_nan=False), out)


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_json(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_json(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_frame(frame: pd.DataFrame, form: str, out: Path | None) -> None:
    if form == "json":
        write_json(frame.to_dict("records"), out)
    elif form == "csv":
        write(frame.to_csv(index=False), out)
    else:
        write(readable(frame), out)


def readable(frame: pd.DataFrame) -> str:
    """`frame` for a terminal: value and error in one column, and once what all rows share."""
    shown, errors = frame.copy(), [name for name in frame if f"{name}_error" in frame]
    for name in errors:
        pairs = zip(frame[name], frame[f"{name}_error"], strict=True)
        shown[name] = [f"{value:.4f} ± {error:.4f}" for value, error in pairs]
    shown = shown.drop(columns=[f"{name}_error" for name in errors])
    if "standard_error" in shown and not shown["standard_error"].any():
        shown = shown.drop(columns="standard_error")  # nothing was drawn
    labels = [name for name in ("closing", "scoring", "noise", "variance") if name in shown]
    shown = shown.astype(dict.fromkeys(labels, str))  # of numbers in an index few digits are shown
    alike = [name for name in labels[1:] if shown[name].nunique() == 1]
    told = "".join(f"{name} {shown[name].iloc[0]}\n" for name in alike)
    shown = shown.drop(columns=alike).set_index([name for name in labels if name not in alike])
    width = shutil.get_terminal_size().columns
    return told + shown.to_string(line_width=width, float_format="{:.4f}".format)


def require_figure(path: Path) -> None:
    """Raise unless Matplotlib is there and writes files that end as `path` does."""
    require_extra("plots", "--figure", "matplotlib", "seaborn")
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in kinds:
        endings = ", ".join(f".{kind}" for kind in sorted(kinds))
        raise ValueError(f"--figure: expected a file that ends in one of {endings}, got {path}")


def draw_clouds(e: Embeddings, path: Path, seed: int) -> None:
    """Write a figure of both sides to `path`, which `require_figure` allows, in one step."""
    import matplotlib as mpl

    mpl.use("Agg")
    from gaputils import plots
    from gaputils._files import replacing
    from gaputils.geometry import principal_coordinates

    plots.set_theme()
    components = min(3, e.dim)
    if components < 3:
        raise ValueError(f"--figure: needs at least 3 dimensions, got {e.dim}")
    ax = plots.clouds(principal_coordinates(e, seed=seed))
    with replacing(path) as part:
        ax.figure.savefig(part, format=path.suffix.removeprefix("."))


@contextmanager
def keeping(closing: Closing, path: Path | None) -> Iterator[None]:
    """Keep `closing` at `path`, if one is given, once what the block writes is in its place.

    A stop before that leaves there what was, and so no closing beside rows of another.
    """
    from gaputils._files import replacing

    if path is None:
        yield
        return
    with replacing(path) as part:
        closing.save(part)
        yield
