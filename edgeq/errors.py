"""Every error that edgeq raises on purpose: one clear line that names the place, the fact and the way out."""

from __future__ import annotations


class EdgeqError(Exception):
    """Base of all errors meant for a person; the shell prints it as one line and exits with 2."""


class FormatError(EdgeqError):
    """A number format or a value that it cannot hold."""


class GraphError(EdgeqError):
    """A graph that breaks a rule of `edgeq.ir.check`."""


class RangeError(GraphError):
    """No accumulator holds the worst case of a node, so the result could wrap."""


class UnsupportedError(EdgeqError):
    """Something the source network asks for and edgeq (or the chosen board) cannot do."""


class InputError(EdgeqError):
    """User data (arrays, recipes, options) of the wrong shape, type or range."""


class FileError(EdgeqError):
    """A file that is missing, damaged, hostile or of another version."""


class ToolError(EdgeqError):
    """An outside program (compiler, emulator, synthesiser) that is missing or failed."""


class BudgetError(EdgeqError):
    """A network that does not fit the flash or RAM it was given."""
