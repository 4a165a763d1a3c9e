"""Every module of hls/rtl says what it is: its header names all parameters and ports, hls/README.md lists it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hls.harness import RTL

FILES = sorted(RTL.glob("*.v"))
README = (RTL.parent / "README.md").read_text()
_NAMES = r"(?:integer\s+|wire\s+|reg\s+|signed\s+|\[[^\]]*\]\s*)*(\w+)"


def parts(path: Path) -> tuple[str, str]:
    """The comment at the head of a file, and the module's declaration."""
    text = path.read_text()
    start = text.index(f"\nmodule {path.stem} ")
    return text[:start], text[start : text.index(");\n", start)]


def explained(path: Path) -> str:
    """The head of a file and the heads of the modules that it refers to ("as eq_mvu")."""
    head, _ = parts(path)
    others = [RTL / f"{name}.v" for name in sorted(set(re.findall(r"\beq_\w+", head)))]
    return head + "".join(parts(other)[0] for other in others if other in FILES and other != path)


def missing(head: str, declaration: str) -> list[str]:
    """Parameters and ports that a head does not name; `s_*` names a stream, and derived widths need no word."""
    free = re.findall(rf"parameter\s+{_NAMES}\s*=\s*(?!.*\$clog2)", declaration)
    ports = [name for name in re.findall(rf"\b(?:input|output)\s+{_NAMES}", declaration) if name not in ("clk", "rst")]
    streams = [name for name in ports if name.endswith(("_data", "_valid", "_ready"))]
    lost = [name for name in free + ports if name not in streams and not re.search(rf"\b{name}\b", head)]
    prefixes = sorted({name.rsplit("_", 1)[0] for name in streams})
    return lost + [name for name in prefixes if not re.search(rf"\b{name}_(\*|data|valid|ready)", head)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_header_names_everything(path: Path) -> None:
    head, declaration = parts(path)
    assert all(line.startswith("//") for line in head.splitlines())
    assert not missing(explained(path), declaration)


def test_readme_lists_every_module() -> None:
    assert not [path.stem for path in FILES if not re.search(rf"\b{path.stem}\b", README)]


def test_an_undocumented_port_is_found() -> None:
    head, declaration = parts(RTL / "eq_window.v")
    assert missing(head.replace("REPEAT", "").replace("m_inside", ""), declaration) == ["REPEAT", "m_inside"]
