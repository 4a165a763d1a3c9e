"""`edgeq search`: which number formats a float network should get, layer by layer or as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.schedule import size
from edgeq.commands.shell import Json, Model, console, emit, find_board, load_model, near, table

if TYPE_CHECKING:
    from edgeq.progress import Progress
    from edgeq.search.patch_costs import Row
    from edgeq.search.patches import Mixed
    from edgeq.search.study import Study
    from edgeq.search.task import Source
    from edgeq.search.widths import Search

search = typer.Typer(
    help="Search number formats: mixed widths under a budget, widths of patches, or accuracy against cost.",
    rich_markup_mode="rich",
    no_args_is_help=True,
)

FloatModel = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A float network: FILE.py, FILE.py:FUNCTION or MODULE:FUNCTION that returns (model, calibration data, "
        "test data), or a float .tflite or .onnx file with --calibration.",
        show_default=False,
    ),
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", metavar="x.npy", help="Samples that calibrate a float model file.")
]
Test = Annotated[
    Path | None, typer.Option("--test", metavar="x.npy", help="Samples that judge it [the calibration samples].")
]
Labels = Annotated[
    Path | None, typer.Option("--labels", metavar="y.npy", help="Their classes [those of the float network].")
]
BaseRecipe = Annotated[
    Path | None, typer.Option("--recipe", metavar="YAML", help="Recipe of everything that is not searched.")
]


def _source(model: str, calibration: Path | None, test: Path | None, labels: Path | None) -> Source:
    """What the user named, by whole paths, which workers on other machines see as well."""
    from edgeq.errors import ToolError

    try:
        import brevitas  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        raise ToolError("searches need torch and Brevitas: pip install 'edgeq[search]'") from None
    from edgeq.search.task import Source

    place, colon, function = model.rpartition(":")
    file = Path(place if colon else model)
    if file.suffix in (".py", ".tflite", ".onnx") and file.is_file():
        model = f"{file.resolve()}{colon}{function}" if colon else str(file.resolve())
    return Source(model, *(None if path is None else str(path.resolve()) for path in (calibration, test, labels)))


def _names(text: str, every: Any = ()) -> tuple[str, ...]:
    """A list with commas; "all" is all that there are."""
    return tuple(every) if text == "all" else tuple(word.strip() for word in text.split(",") if word.strip())


@contextmanager
def phases() -> Iterator[Callable[[str], Progress]]:
    """Progress bars on stderr, one for each phase of the search, silent unless a person looks on."""
    if not sys.stderr.isatty():
        yield lambda name: lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def begin(name: str) -> Callable[[int, int], None]:
            task = bars.add_task(name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield begin


@search.command()
def widths(
    model: FloatModel,
    budget: Annotated[
        str,
        typer.Option(
            metavar="N", help="What the cost may be: 12000, 12k, 1.5M; 50% of the widest; 4bit: as 4 bits cost."
        ),
    ],
    cost: Annotated[
        str, typer.Option(metavar="COST", help="bytes, ram, bitops, instructions (Cortex-M4) or luts.")
    ] = "bytes",
    options: Annotated[
        str, typer.Option("--widths", metavar="LIST", help="Widths to choose from: bits, or names of minifloats.")
    ] = "2,3,4,5,6,7,8",
    sensitivity: Annotated[
        str, typer.Option(metavar="LIST", help="entropy, mse, hessian, fisher, measured, or all.")
    ] = "measured",
    allocator: Annotated[str, typer.Option(metavar="LIST", help="greedy, pareto, ilp, or all.")] = "ilp",
    joins: Annotated[str, typer.Option(metavar="J", help="Widths of tensors that are added: equal or free.")] = "equal",
    method: Annotated[
        str | None, typer.Option(metavar="M", help="Post-training quantisation that every result is judged by.")
    ] = None,
    calibration: Calibration = None,
    test: Test = None,
    labels: Labels = None,
    recipe: BaseRecipe = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The recipe.")] = Path("recipe.yaml"),
    json: Json = False,
) -> int:
    """Choose the width of each layer's weights and activations under a budget; write a recipe to train with. Exit code 1 if nothing fits."""  # noqa: E501
    from edgeq.quant import Recipe

    source = _source(model, calibration, test, labels)
    from edgeq.search.allocators import ALLOCATORS
    from edgeq.search.methods import DEFAULT_METHOD
    from edgeq.search.sensitivity import SENSITIVITIES
    from edgeq.search.store import Store
    from edgeq.search.task import load_task
    from edgeq.search.widths import Settings, search_widths, write_recipe

    settings = Settings(
        budget=budget,
        cost=cost,
        options=tuple(int(word) if word.isdigit() else word for word in _names(options)),
        sensitivities=_names(sensitivity, SENSITIVITIES),
        allocators=_names(allocator, ALLOCATORS),
        base=Recipe() if recipe is None else Recipe.from_yaml(recipe),
        joins=joins,
        method=method or DEFAULT_METHOD,
    )
    store = Store(output.with_name(f"{output.name}.search.jsonl"))
    with phases() as phase:
        found = search_widths(load_task(source), settings, store, phase)
    write_recipe(found, output)
    if json:
        emit(found.to_json() | {"recipe": str(output)})
    else:
        _show_widths(found, output)
    return 0


def _show_widths(found: Search, output: Path) -> None:
    """Print the table and the widths of the best row."""
    from edgeq.search.costs import COSTS

    out, cost = console(False), found.settings.cost
    names = list(found.best.costs)
    title = f"{found.task.name}: {COSTS[cost].unit} within {found.budget:,.0f}; calibrated by {found.settings.method}"
    shown = table(
        title, "sensitivity", "allocator", *(f">{name}" for name in names), ">weight bits", ">expected loss",
        ">divergence", ">accuracy", "",
    )  # fmt: skip
    for row in found.rows:
        figures = [f"{row.costs[name]:,.0f}" if row.costs else "–" for name in names]
        loss = "–" if row.loss is None else f"{row.loss:.4g}"
        bits = "–" if row.weight_bits is None else f"{row.weight_bits:.2f}"
        far = "–" if row.divergence is None else f"{row.divergence:.4f}"
        share = "–" if row.accuracy is None else f"{row.accuracy:.2%}"
        exact = "best for its losses" if row.exact else row.note
        shown.add_row(row.sensitivity, row.allocator, *figures, bits, loss, far, share, exact)
    out.print(shown)
    judged = "labels" if found.task.judged_by == "labels" else "the float network's classes"
    out.print(f"float: {found.float_accuracy:.2%} of {len(found.task.test):,} samples by {judged}")
    chosen = table("chosen widths", "layer", ">weights", ">activations")
    rows: dict[str, dict[str, str]] = {}
    for choice, option in zip(found.space.choices, found.best.widths.values(), strict=True):
        for layer in choice.layers:
            rows.setdefault(layer, {})[choice.key] = str(option)
    for layer, both in rows.items():
        chosen.add_row(layer, both.get("weights", "–"), both.get("activations", "–"))
    out.print(chosen)
    taken = found.exported
    out.print(
        f"exported: {taken['constant_bytes']:,} bytes of constants, arena {taken['arena_bytes']:,} bytes on a Cortex-M4"
    )
    out.print(f"recipe: {near(output)} ({found.best.sensitivity}, {found.best.allocator}; {found.seconds:.0f} s)")


@search.command()
def pareto(
    model: FloatModel,
    formats: Annotated[
        str, typer.Option(metavar="LIST", help="Formats: bits and minifloats eEmM; all: every one of 3 to 8 bits.")
    ] = "3,4,5,6,7,8,e2m1,e2m3,e3m2,e4m3,e5m2",
    weights: Annotated[str | None, typer.Option(metavar="LIST", help="Formats of weights [--formats].")] = None,
    activations: Annotated[str | None, typer.Option(metavar="LIST", help="Formats of activations [--formats].")] = None,
    same: Annotated[bool, typer.Option("--same", help="Weights and activations in the same format only.")] = False,
    methods: Annotated[
        str, typer.Option(metavar="LIST", help="Methods of post-training quantisation, or all; see docs/search.md.")
    ] = "mse+bias",
    instructions: Annotated[
        str, typer.Option(metavar="HOW", help="counted (built and run), estimated (cost tables) or none.")
    ] = "counted",
    luts: Annotated[bool, typer.Option("--luts/--no-luts", help="Synthesise the engine of each pair.")] = True,
    calibration: Calibration = None,
    test: Test = None,
    labels: Labels = None,
    recipe: BaseRecipe = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Processes on this machine.")] = 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, tcp://host:8786, that spreads the sweep.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the study.")] = Path("study"),
    json: Json = False,
) -> int:
    """Sweep formats × methods: accuracy against bytes, LUTs and instructions as table, plot, CSV and page. Goes on where it was stopped."""  # noqa: E501
    from edgeq.quant import Recipe

    source = _source(model, calibration, test, labels)
    from edgeq.search.draw import write_all
    from edgeq.search.methods import ptq_methods
    from edgeq.search.store import Store
    from edgeq.search.study import Plan, study
    from edgeq.search.study import formats as every

    def numbers(text: str) -> tuple[Any, ...]:
        return tuple(int(w) if isinstance(w, str) and w.isdigit() else w for w in _names(text, every()))

    plan = Plan(
        source,
        numbers(weights or formats),
        numbers(activations or formats),
        _names(methods, ptq_methods()),
        same,
        Recipe() if recipe is None else Recipe.from_yaml(recipe),
        instructions,
        luts,
    )
    store = Store(output / "points.jsonl")
    with phases() as phase:
        found = study(plan, store, workers=jobs, cluster=cluster, progress=phase("sweep"))
    paths = write_all(found, output)
    if json:
        emit(found.to_json() | {"files": {kind: str(path) for kind, path in paths.items()}})
    else:
        _show_study(found, paths["html"])
    return 0


def _show_study(found: Study, page: Path) -> None:
    """Print the table of a study and where its page is."""
    from edgeq.search.draw import rows_of

    out = console(False)
    columns, rows = rows_of(found.rows)
    shown = table(f"{found.name}: float {found.float_accuracy:.2%}", *columns)
    for row in rows:
        shown.add_row(*row)
    out.print(shown)
    out.print(f"instructions: {found.instructions_by or 'none'}; LUTs: {found.tools or 'none'}")
    out.print(f"page: {near(page)}, with study.csv, study.svg and study.png beside it", soft_wrap=True)


def _grid(text: str) -> tuple[int, int]:
    """Patches along rows and columns of "3" or "3x4"."""
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise typer.BadParameter(f"{text!r} is no grid; give 3x3, or 3x1 for three strips")
    return int(words[0]), int(words[-1])


@search.command()
def patches(
    model: Model,
    calibration: Annotated[Path, typer.Option("--calibration", metavar="x.npy", help="Samples that widths come from.")],
    grid: Annotated[
        str, typer.Option(metavar="RxC", help="Patches along rows and columns of the stage's output.")
    ] = "2x2",
    split: Annotated[
        str | None, typer.Option(metavar="LAYER", help="Layer that ends the patch stage [where least RAM is needed].")
    ] = None,
    ram: Annotated[
        int | None, typer.Option(metavar="BYTES", parser=size, help="Most bytes alive at once; 64k is 65536.")
    ] = None,
    phi: Annotated[
        float, typer.Option(metavar="F", help="Patches with values beyond this many standard deviations keep 8 bits.")
    ] = 2.0,
    share: Annotated[
        float, typer.Option(metavar="F", help="… if they have some in more than this share of samples.")
    ] = 0.5,
    lam: Annotated[
        float, typer.Option("--lambda", metavar="F", help="Weight of entropy against BitOPs, 0 to 1.")
    ] = 0.5,
    widths: Annotated[str, typer.Option(metavar="LIST", help="Widths to choose from.")] = "8,4,2",
    joint: Annotated[bool, typer.Option("--joint", help="All patches without outliers get the same widths.")] = False,
    at_run_time: Annotated[bool, typer.Option("--at-run-time", help="The others have both; inputs decide.")] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Maps behind the patch stage get widths, too.")] = False,
    weights: Annotated[
        int,
        typer.Option(metavar="BITS", help="Most bits of the stage's weights, which all patches share; train after."),
    ] = 8,
    test: Test = None,
    labels: Labels = None,
    board: Annotated[str, typer.Option("--board", "-b", metavar="B", help="What firmware is built for.")] = "cortex-m4",
    count: Annotated[
        bool, typer.Option("--count/--no-count", help="Build firmware of each way and count its instructions.")
    ] = True,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The mixed network.")] = Path(
        "mixed.edgeq"
    ),
    json: Json = False,
) -> int:
    """Run the first part of an 8-bit network by patches whose feature maps have 8, 4 or 2 bits (QuantMCU). Exit code 1 if nothing fits."""  # noqa: E501
    from edgeq.errors import InputError
    from edgeq.search.patch_costs import rows
    from edgeq.search.patches import Settings, search_patches
    from edgeq.verify.data import read_array

    if (test is None) != (labels is None):
        raise InputError("--test are samples and --labels their classes; give both")
    judged = None if test is None or labels is None else (read_array(test), read_array(labels))
    chosen = tuple(int(word) for word in _names(widths) if word.isdecimal())
    settings = Settings(_grid(grid), split, ram, phi, share, lam, chosen, joint, rest, weights, at_run_time)
    with phases() as phase:
        found = search_patches(load_model(model), read_array(calibration), settings, phase("calibration"))
        table_rows = list(rows(found, find_board(board), counted=count, test=judged, progress=phase("accuracy")))
    found.graph.save(output)
    if json:
        emit(found.to_json() | {"rows": [row.to_json() for row in table_rows], "output": str(output)})
    else:
        _show_patches(found, table_rows, board, output)
    return 0


def _show_patches(found: Mixed, rows: list[Row], board: str, output: Path) -> None:
    """Print what was chosen and the table."""
    out = console(False)
    (down, across), held = found.settings.grid, [patch for patch, outliers in found.outliers.items() if outliers]
    out.print(
        f"{found.whole.name}: {down} x {across} patches up to {found.branches.output}; {len(held)} hold values beyond "
        f"{found.settings.phi:g} standard deviations and keep 8 bits{': ' if held else ''}"
        f"{', '.join(f'({i}, {j})' for i, j in held)}"
    )
    if found.choice is not None:
        shares = found.choice.shares
        out.print(
            f"{len(shares)} patches decide for each input, narrow where all codes of the input lie within "
            f"{found.choice.least}..{found.choice.most}; in the calibration samples: "
            f"{', '.join(f'({i}, {j}) {share:.0%}' for (i, j), share in shares.items())}"
        )
    bits = table("widths of the others' feature maps", "bits", ">feature maps")
    for width in found.settings.widths:
        bits.add_row(str(width), str(sum(w == width for w in found.chosen.values())))
    out.print(bits)
    columns = (">MACs", ">BitOPs", ">of the patches", ">arena", ">weights", ">flash", ">instructions", ">accuracy")
    shown = table(f"on {board}", "way", "bits", *columns, "")
    for row in rows:
        figures = (row.macs, row.bitops, row.stage_bitops, row.arena, row.weights, row.flash, row.instructions)
        right = "–" if row.accuracy is None else f"{row.accuracy:.2%}"
        way = row.way if row.narrow is None else f"{row.way} ({row.narrow:.0%} of the patches narrow)"
        shown.add_row(way, row.bits, *("–" if f is None else f"{f:,}" for f in figures), right, row.note)
    out.print(shown)
    out.print(f"network: {near(output)}")
