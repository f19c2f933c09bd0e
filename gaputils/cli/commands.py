"""The command line: each command reads its arguments, calls the package and writes the result.

Exit codes: 0 done; 1 an error, told on standard error; 2 a wrong command line; 130 stopped by
Ctrl-C; 141 nobody reads the output any more. Results go to standard output or to the file named by
`--out`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gaputils.cli.support import (
    Commands,
    build_closing,
    check_format,
    closing_of,
    draw_clouds,
    load_closing,
    read_in_place,
    readable,
    refuse_settings,
    reports_errors,
    require_figure,
    require_outputs,
    settings_of,
    write,
    write_frame,
    write_json,
)

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
_FILES = ".npy, .npz, .safetensors, .pt, .parquet or .arrow; a folder of shards"
First = Annotated[Path, typer.Argument(help=f"Both sides, or the queries: {_FILES}.")]
Second = Annotated[Path | None, typer.Argument(help="The gallery, if it has a file of its own.")]
QueriesKey = Annotated[str | None, typer.Option(help="Name of the queries in the file.")]
GalleryKey = Annotated[str | None, typer.Option(help="Name of the gallery in the file.")]
TargetsKey = Annotated[
    str | None, typer.Option(help="The gallery row of each query: its name in a file, or a file.")
]
OwnersKey = Annotated[
    str | None, typer.Option(help="The query of each gallery row: its name in a file, or a file.")
]
Normalize = Annotated[bool, typer.Option("--normalize", help="Scale all rows to norm 1.")]
Variance = Annotated[float, typer.Option(help="Variance of the noise on each gallery item.")]
Method = Annotated[str | None, typer.Option(hidden=True, help="Deprecated: use --closing.")]
Components = Annotated[
    str | None,
    typer.Option(help="Components kept: a count, a share of variance as 0.9, or auto."),
]
Alpha = Annotated[float | None, typer.Option(help="0 leaves all as it is, 1 closes the gap.")]
Radius = Annotated[str | None, typer.Option(help="A multiple of the circumradius, or auto.")]
Center = Annotated[bool, typer.Option("--center", help="Centre both sides, ready for cosine.")]
Scoring = Annotated[str, typer.Option(help="How you rank: cosine, inner-product or euclidean.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="File for the result.")]


def _version(asked: bool) -> None:
    if asked:
        import gaputils

        typer.echo(f"gaputils {gaputils.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Measure the modality gap of embeddings, close it, and see what that is worth."""


@app.command(
    epilog="""Examples:

- `gaputils embed tiny-openmoji emoji10 -o emoji10.safetensors`

- Into shards: `gaputils embed ViT-B-16 imagenet --pretrained openai --root imagenet -o b16`

- To resume after a kill, give the same command again.

- With 4 GPUs: `torchrun --nproc-per-node 4 --no-python gaputils embed tiny-openmoji emoji10 -o e`
"""
)
@reports_errors
def embed(
    model: Annotated[str, typer.Argument(help="tiny-openmoji, an open_clip name, or a folder.")],
    dataset: Annotated[str, typer.Argument(help="The name of a data set.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A .safetensors file, or a folder for shards.")
    ],
    pretrained: Annotated[str | None, typer.Option(help="open_clip's tag, or a file.")] = None,
    step: Annotated[int | None, typer.Option(help="A step of a training history.")] = None,
    root: Annotated[Path | None, typer.Option(help="The data set's folder.")] = None,
    split: Annotated[str | None, typer.Option(help="The data set's split.")] = None,
    template: Annotated[
        list[str] | None, typer.Option(help="A caption with {} for the class; repeat to average.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 256,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Rows a shard of a folder; 8192 if left out.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images.")] = 0,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out, and name, images that are not whole.")
    ] = False,
    device: Annotated[
        str, typer.Option(help="auto: the best there is, cuda:$LOCAL_RANK under torchrun.")
    ] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")] = "auto",
) -> None:
    """Embed a data set with a model, into one file or into a folder of checked shards.

    A folder is written shard by shard, by one process or by several under torchrun; what was
    whole when a run stopped is kept, and the end has the same bytes as an undisturbed run.
    """
    from gaputils.cli.embed import embed_to

    told = embed_to(
        out,
        model,
        dataset,
        pretrained=pretrained,
        step=step,
        root=root,
        split=split,
        templates=template,
        batch_size=batch_size,
        shard_size=shard_size,
        workers=workers,
        skip_broken=skip_broken,
        device=device,
        precision=precision,
    )
    if told is not None:
        typer.echo(told)


@app.command(epilog="Example: `gaputils report images.npy texts.npy --figure gap.png`")
@reports_errors
def report(
    first: First,
    second: Second = None,
    queries: QueriesKey = None,
    gallery: GalleryKey = None,
    targets: TargetsKey = None,
    owners: OwnersKey = None,
    normalize: Normalize = False,
    scoring: Scoring = "cosine",
    variance: Variance = 0.04,
    rows: Annotated[int, typer.Option(min=3, help="Queries that are measured.")] = 1000,
    items: Annotated[int, typer.Option(min=2, help="Gallery rows that are searched.")] = 5000,
    figure: Annotated[
        Path | None, typer.Option(help="File for a figure: .png, .pdf, .svg.")
    ] = None,
    format: Annotated[
        str, typer.Option(help="table, csv (of the measures alone) or json.")
    ] = "table",
    out: Out = None,
    seed: Seed = 0,
) -> None:
    """Is there a gap, does closing it help, by how much, and with which lines of code.

    An answer is right if it is the query's target; where a query has several rows of the gallery
    (`--owners`, or the captions of an image that `embed` wrote), if it is one of them.
    """
    import pandas as pd

    from gaputils.evaluation.report import report as make
    from gaputils.evaluation.sample import Sample

    form = check_format(format)
    require_outputs({"--figure": figure, "--out": out}, (first, second, targets, owners))
    if figure is not None:
        require_figure(figure)
    source = read_in_place(first, second, queries, gallery, targets, owners, normalize)
    found = make(source, variance, scoring=scoring, rows=rows, items=items, seed=seed)
    if figure is not None:
        draw_clouds(Sample.of(source, rows, items, seed).embeddings, figure, seed)
    if form == "json":
        content = {
            "measures": found.measures.to_dict(),
            "benefits": found.benefits.to_dict("records"),
            "best": found.best,
            "verdict": found.verdict,
            "code": found.code,
        }
        write_json(content, out)
    elif form == "csv":
        write(found.measures.rename_axis("measure").to_csv(), out)
    else:
        measures = pd.DataFrame({"value": found.measures}).to_string(float_format="{:.4f}".format)
        write("\n\n".join([measures, readable(found.benefits), found.verdict, found.code]), out)


@app.command(
    epilog="Example: `gaputils close pairs.npz --closing HullProjection --center -o closed.npz`"
)
@reports_errors
def close(
    first: First,
    out: Annotated[Path, typer.Option("--out", "-o", help="A file .safetensors, .npz or .npy.")],
    second: Second = None,
    queries: QueriesKey = None,
    gallery: GalleryKey = None,
    targets: TargetsKey = None,
    owners: OwnersKey = None,
    normalize: Normalize = False,
    closing: Annotated[
        str | None,
        typer.Option(
            help="MeanShift, HullProjection or another class of gaputils.closing; MeanShift if "
            "left out."
        ),
    ] = None,
    method: Method = None,
    n_components: Components = None,
    alpha: Alpha = None,
    radius: Radius = None,
    center: Center = False,
    save: Annotated[Path | None, typer.Option(help="Keep the fitted closing here.")] = None,
    load: Annotated[Path | None, typer.Option(help="Use a fitted closing, do not fit.")] = None,
) -> None:
    """Fit a closing, apply it, and save both sides.

    MeanShift, HullProjection and what is given by `--load` move both sides in blocks, in the dtype
    they have: what .npy files hold stays on the disk, the shards of a folder are put together in
    memory. Other closings, and `auto`, need all rows at once, and say so where that is much.

    HullProjection with `--radius` or `--center` takes the circumcentre of the gallery. From 128 MiB
    on it is the projection of the origin, which asks for rows of one norm: `--normalize`.
    """
    from gaputils.cli.close import close_files
    from gaputils.storage._written import npy_files_beside

    if out.suffix not in (".safetensors", ".npz", ".npy"):
        raise ValueError(f"--out: expected a .safetensors, .npz or .npy file, got {out}")
    outputs = {"--out": out, "--save": save}
    if out.suffix == ".npy":
        outputs |= {f"--out with {place.name} beside it": place for place in npy_files_beside(out)}
    require_outputs(outputs, (first, second, targets, owners, load))
    name = closing_of(closing, method)
    settings = settings_of(n_components, alpha, radius, center)
    if load is not None and (name is not None or settings):
        raise ValueError("--load: a fitted closing has its settings; leave out the others")
    chosen = build_closing(name or "MeanShift", settings) if load is None else load_closing(load)
    files = (first, second, queries, gallery, targets, owners, normalize)
    for file in close_files(files, out, chosen, fit=load is None, save=save)[1:]:
        typer.echo(file)
    typer.echo(f"{out}: {chosen!r}")


@app.command(
    epilog="""Examples:

- `gaputils mix image=images.npy text=texts.npy --query queries.npy -o mixed.npz`

- Keep what was learned, and lift new rows with it: `--save mixed.safetensors`, then
  `gaputils mix image=new.npy --load mixed.safetensors -o rows.npy`
"""
)
@reports_errors
def mix(
    items: Annotated[list[str], typer.Argument(help=f"KIND=FILE for each kind: {_FILES}.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help=".npz: an array a kind; .npy: all rows, queries in a file beside it.",
        ),
    ],
    query: Annotated[
        Path | None, typer.Option(help="The queries, or a sample of them, to fit on.")
    ] = None,
    center: Annotated[
        bool | None,
        typer.Option(
            help="Take means away too, as is done if left out; without, each kind keeps its "
            "ranking."
        ),
    ] = None,
    equal_norms: Annotated[
        bool, typer.Option("--equal-norms", help="For an index that only knows cosine.")
    ] = False,
    save: Annotated[Path | None, typer.Option(help="Keep the fitted closing here.")] = None,
    load: Annotated[Path | None, typer.Option(help="Use a fitted closing, do not fit.")] = None,
) -> None:
    """Write images, texts and other kinds as rows of one inner-product index."""
    from gaputils.cli.mix import mix_files

    options: dict[str, Any] = {"center": center, "equal_norms": equal_norms}
    typer.echo(mix_files(items, out, query, save=save, saved=load, **options))


@app.command(epilog="Example: `gaputils robustness pairs.npz --variance 0.04 --closing MeanShift`")
@reports_errors
def robustness(
    first: First,
    second: Second = None,
    queries: QueriesKey = None,
    gallery: GalleryKey = None,
    targets: TargetsKey = None,
    owners: OwnersKey = None,
    normalize: Normalize = False,
    variance: Annotated[list[float], typer.Option(help="Repeat for several.")] = [0.04],  # noqa: B006
    per: Annotated[str, typer.Option(help="vector (total variance) or coordinate.")] = "vector",
    scoring: Scoring = "cosine",
    draws: Annotated[int, typer.Option(help="Draws where there is no exact value.")] = 200,
    closing: Annotated[
        str | None, typer.Option(help="Close the gap with this and compare; none.")
    ] = None,
    method: Method = None,
    n_components: Components = None,
    alpha: Alpha = None,
    radius: Radius = None,
    center: Center = False,
    format: Annotated[str, typer.Option(help="table, csv or json.")] = "table",
    out: Out = None,
    seed: Seed = 0,
) -> None:
    """Share of the queries whose nearest gallery item survives noise, before and after closing.

    An answer is right if it is the query's target; where a query has several rows of the gallery
    (`--owners`, or the captions of an image that `embed` wrote), if it is one of them.
    """
    from gaputils.evaluation.compare import compare_closings
    from gaputils.evaluation.report import norms_told
    from gaputils.noise.perturbations import GaussianNoise
    from gaputils.storage.files import read_pair

    form = check_format(format)
    require_outputs({"--out": out}, (first, second, targets, owners))
    names = {"queries": queries, "gallery": gallery, "targets": targets, "owners": owners}
    e = read_pair(first, second, **names, normalize=normalize)
    closings: dict[str, Any] = {"original": None}
    name = closing_of(closing, method)
    settings = settings_of(n_components, alpha, radius, center)
    if name is None or name == "none":
        refuse_settings(settings)
    else:
        built = build_closing(name, settings)
        closings[repr(built)] = built
    table = compare_closings(
        e.queries,
        e.gallery,
        closings,
        {repr(value): GaussianNoise(value, per=per) for value in variance},
        targets=e.answers,
        scorings=[scoring],
        draws=draws,
        seed=seed,
    )
    if "closing" not in e.info:  # what was closed is no longer of norm 1, and is meant to be so
        for line in norms_told("gallery", e.gallery):
            typer.echo(f"gaputils: {line}", err=True)
    write_frame(table.rename(columns={"noise": "variance"}).astype({"variance": float}), form, out)


@app.command(epilog="Example: `gaputils sweep grids/paper.yml --out runs --jobs 4`")
@reports_errors
def sweep(
    grid: Annotated[Path, typer.Argument(help="A YAML file with the runs.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for notebooks and results.")],
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, which shares out the runs.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs, run none.")] = False,
    gallery: Annotated[
        Path | None, typer.Option(help="Folder for pages of the book: new, or an earlier gallery.")
    ] = None,
) -> None:
    """Execute notebooks over a grid of parameters; what is done and unchanged is skipped."""
    from gaputils.sweep.gallery import require_gallery_folder, write_gallery
    from gaputils.sweep.grid import plan
    from gaputils.sweep.run import run_sweep

    runs = plan(grid)
    if dry_run:
        for run in runs:
            typer.echo(run.name)
        return
    if gallery is not None:
        require_gallery_folder(gallery, out)
    table = run_sweep(runs, out, jobs=jobs, dask=dask, echo=typer.echo)
    failed = table[table["status"] == "failed"]
    counts = ", ".join(f"{n} {status}" for status, n in table["status"].value_counts().items())
    typer.echo(f"{out}: {counts}")
    if gallery is not None and len(failed) < len(table):
        typer.echo(f"{write_gallery(out, gallery)}: add it to the table of contents")
    if len(failed):
        for name, reason in zip(failed["run"], failed["error"], strict=True):
            typer.echo(f"gaputils: {name} failed: {reason}", err=True)
        raise typer.Exit(1)


@app.command(epilog="Example: `gaputils train my-model --seed 1`")
@reports_errors
def train(
    out: Annotated[Path, typer.Argument(help="Folder for checkpoints and the trajectory.")],
    steps: Annotated[int, typer.Option(min=1)] = 750,
    batch_size: Annotated[int, typer.Option(min=2)] = 256,
    schedule: Annotated[
        int | None, typer.Option(help="Step at which the learning rate would reach 0.")
    ] = None,
    learning_rate: float = 2e-3,
    logit_scale: Annotated[float, typer.Option(help="Factor on the cosines: 2 / tau.")] = 100.0,
    learn_logit_scale: Annotated[
        bool, typer.Option("--learn-logit-scale", help="Train that factor, too.")
    ] = False,
    keep: Annotated[
        list[int] | None,
        typer.Option(
            help="A step whose weights are kept; repeat for several. 0, 50, 200 and 400, as far as "
            "the run goes, if left out; the last always."
        ),
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train the small CLIP of this project from scratch; a stopped run goes on where it was."""
    from gaputils.tiny_openmoji.training import TrainingSettings
    from gaputils.tiny_openmoji.training import train as run

    settings = TrainingSettings(
        steps=steps,
        schedule=schedule,
        batch_size=batch_size,
        learning_rate=learning_rate,
        logit_scale=logit_scale,
        learn_logit_scale=learn_logit_scale,
        keep=None if keep is None else tuple(keep),
        seed=seed,
    )
    trajectory = run(settings, out, progress=True)
    typer.echo(trajectory.iloc[-1].to_string())
