"""`edgeq search`: which number formats a float network should get, layer by layer or as a whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeq.commands.shell import Json, Progress, console, emit, near, table

if TYPE_CHECKING:
    from edgeq.search.study import Study
    from edgeq.search.task import Source
    from edgeq.search.widths import Search

search = typer.Typer(
    help="Search number formats: mixed widths under a budget, or accuracy against cost over all formats.",
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
