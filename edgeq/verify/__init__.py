"""Are they the same: any two executions of a network, tensor by tensor, the first difference named.

The command contract has a function of this package's name, `edgeq.verify(net, board, x)`, so the package can be
called; `edgeq.verify.verify` is the same function.
"""

import sys
from types import ModuleType
from typing import Any

from edgeq.verify.compare import Comparison, compare_traces
from edgeq.verify.data import random_inputs, read_array, write_array
from edgeq.verify.executors import Executor, TraceFunction
from edgeq.verify.result import Divergence, ExactResult, Operand, VerifyResult
from edgeq.verify.run import verify

__all__ = [
    "Comparison",
    "Divergence",
    "ExactResult",
    "Executor",
    "Operand",
    "TraceFunction",
    "VerifyResult",
    "compare_traces",
    "random_inputs",
    "read_array",
    "verify",
    "write_array",
]


class _CallableModule(ModuleType):
    """This package, callable as the function `verify`."""

    def __call__(self, *args: Any, **kwargs: Any) -> VerifyResult:
        return verify(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
