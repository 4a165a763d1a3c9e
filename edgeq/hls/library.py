"""The C++ library of stages: headers, and what their functions take, read from their template heads."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edgeq.errors import FileError
from edgeq.resources import resource_dir

_INCLUDE = re.compile(r'^\s*#\s*include\s+"(\w+\.hpp)"', re.MULTILINE)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class TemplateParameter:
    """One parameter in the head of a function: its C++ type ("int", "long long", an enumeration), name and default."""

    type: str
    name: str
    default: str | None


@functools.cache
def header(name: str) -> str | None:
    """Text of hls/cpp/`name`; None where there is no such file."""
    path = resource_dir("hls") / "cpp" / name
    return path.read_text("utf-8") if path.is_file() else None


def has_function(module: str) -> bool:
    """Whether a module has its twin in C++."""
    return header(f"{module}.hpp") is not None


def headers(modules: Iterable[str]) -> dict[str, str]:
    """Name -> text of the headers of modules, and of all that these include."""
    found: dict[str, str] = {}
    todo = {f"{module}.hpp" for module in modules} | {"eq_types.hpp"}
    while todo:
        name = todo.pop()
        text = header(name)
        if text is None:
            raise FileError(f"header {name}: there is no hls/cpp/{name} in this installation; reinstall edgeq")
        found[name] = text
        todo |= set(_INCLUDE.findall(text)) - found.keys()
    return dict(sorted(found.items()))


@functools.cache
def template_parameters(module: str) -> tuple[TemplateParameter, ...]:
    """What `void <module>(` takes in its template head; the longest head where there are several."""
    text = _COMMENT.sub("", header(f"{module}.hpp") or "")
    heads = [
        tuple(_parameters(found.group(1)))
        for found in re.finditer(rf"template\s*<([^<>{{}}]*)>\s*(?:static\s+|inline\s+)*void\s+{module}\s*\(", text)
    ]
    if not heads:
        raise FileError(f"header {module}.hpp: has no function template {module}; reinstall edgeq")
    return max(heads, key=len)


def _parameters(head: str) -> Iterator[TemplateParameter]:
    for part in head.split(","):
        declared, _, default = part.partition("=")
        kind, name = declared.strip().rsplit(None, 1)
        yield TemplateParameter(kind, name, default.strip() or None)
