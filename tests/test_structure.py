"""Structure: rooms import in one direction, heavy libraries only where they are used, files say what they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgeq

ROOT = Path(edgeq.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

#: what everyone may import
SHARED = {"errors", "folders", "progress", "resources", "templating", "__version__"}

#: room -> rooms that it may import
MAY_IMPORT = {
    "errors": set(),
    "folders": set(),
    "progress": set(),
    "resources": set(),
    "templating": set(),
    "boards": set(),
    "formats": set(),
    "ir": {"formats"},
    "passes": {"formats", "ir"},
    "emulator": {"formats", "ir"},
    "schedule": {"formats", "ir", "emulator"},
    "quant": {"formats", "ir"},
    "frontends": {"formats", "ir", "passes", "quant"},
    "mcu": {"boards", "formats", "ir", "passes", "emulator", "schedule"},
    "fpga": {"boards", "formats", "ir", "emulator", "schedule"},
    "hls": {"boards", "formats", "ir", "emulator", "schedule", "fpga"},
    "verify": {"boards", "formats", "ir", "emulator", "schedule", "mcu", "fpga", "hls", "frontends", "quant"},
    "hls4ml": {"boards", "formats", "ir", "emulator", "fpga", "hls", "verify"},
    "builds": {"boards", "ir", "mcu", "fpga", "hls"},
    "report": {"boards", "formats", "ir", "emulator", "schedule", "mcu", "fpga", "hls", "verify"},
    "search": {
        *("boards", "formats", "ir", "passes", "emulator", "schedule", "quant", "frontends"),
        *("mcu", "fpga", "verify", "report"),
    },
    "demo": {"formats", "ir", "emulator", "frontends", "quant", "mcu", "verify", "report"},
    "commands": {
        *(
            "boards",
            "ir",
            "emulator",
            "quant",
            "frontends",
            "mcu",
            "fpga",
            "hls",
            "hls4ml",
            "verify",
            "report",
            "search",
            "demo",
        ),
    },
    "cli": {"commands"},
    "__main__": {"cli"},
}

#: Against the direction, each for one reason, and only inside a function: `Graph.run` and `Graph.trace` are a
#: convenience of the graph that the emulator fulfils.
EXCEPTIONS = {("ir/graph.py", "emulator")}

#: libraries that take long to import, and the rooms whose whole business they are
HEAVY = {"torch", "brevitas", "matplotlib", "unicorn", "sklearn", "onnx", "tflite", "hls4ml"}
TORCH_ROOMS = {"quant", "frontends", "search", "demo"}


def room_of(path: Path) -> str:
    """The folder of edgeq/ that a file is in, or the file's own name."""
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(tree: ast.AST, at_import: bool = False) -> Iterator[str]:
    """Names of modules that a file imports; `at_import`: only those that are loaded with it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not (at_import and is_later(node)):
            yield from imports(node, at_import)


def is_later(node: ast.AST) -> bool:
    """Whether the body does not run while the file is imported: of a function, or for type checkers only."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def rooms(tree: ast.AST, at_import: bool = False) -> set[str]:
    """Rooms that a file imports from."""
    return {parts[1] for name in imports(tree, at_import) if (parts := name.split("."))[0] == "edgeq" and parts[1:]}


def wrong_way(path: Path, tree: ast.AST) -> set[str]:
    """Rooms that a file imports and may not."""
    room, place = room_of(path), path.relative_to(ROOT).as_posix()
    excepted = {to for file, to in EXCEPTIONS if file == place} - rooms(tree, at_import=True)
    return rooms(tree) - SHARED - MAY_IMPORT[room] - {room} - excepted


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_point_one_way_and_stay_light(path: Path) -> None:
    if path == ROOT / "__init__.py":  # the public names, each loaded when it is first used
        assert rooms(ast.parse(path.read_text("utf-8")), at_import=True) == set()
        return
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the first line says what the file is about"
    assert not wrong_way(path, tree)
    allowed = {"torch", "brevitas"} if room_of(path) in TORCH_ROOMS or path.stem.startswith("torch") else set()
    loaded = {name.split(".")[0] for name in imports(tree, at_import=True)}
    assert not (loaded & HEAVY) - allowed


def test_the_check_sees_a_wrong_way() -> None:
    graph, ops = ROOT / "ir" / "graph.py", ROOT / "ir" / "ops" / "add.py"
    inside = ast.parse("def run():\n    from edgeq.emulator import execute\n")
    outside = ast.parse("from edgeq import emulator\n")
    assert wrong_way(graph, inside) == set()
    assert wrong_way(graph, outside) == {"emulator"}
    assert wrong_way(ops, inside) == {"emulator"}
    assert wrong_way(ROOT / "formats" / "format.py", ast.parse("import edgeq.ir.graph")) == {"ir"}


def test_functions_are_about_a_screen() -> None:
    long = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 60:
                    long[f"{path.relative_to(ROOT)}: {node.name}"] = lines
    assert not long
