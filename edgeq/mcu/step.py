"""Step: what the C side needs to know of one node, as data. Templates turn it into text.

A kernel is a C function of one shape, in ``firmware/kernels/<kernel>.h``::

    static inline void eq_<kernel>(const eq_<kernel>_t *p, const void *const x[], void *y, <fixed arguments>);

`p` points at run-time constants of the layer (sizes, pointers to weights); the fixed arguments (types, width of the
accumulator) are compile-time constants, so that steps with equal ones share one specialised instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Blob:
    """A constant array in flash.

    name:   C identifier without the network's prefix.
    ctype:  element type, "int8_t", "uint8_t", "int16_t", "int32_t", "int64_t", …
    data:   the elements as they lie in memory, packed where the kernel reads them packed.
    note:   one line for the reader of the generated source.
    """

    name: str
    ctype: str
    data: npt.NDArray[Any]
    note: str = ""


#: a field of a kernel's parameter struct: a number, a small array, or a pointer to a constant array
Param = int | tuple[int, ...] | Blob


@dataclass(frozen=True)
class Step:
    """One kernel call.

    node:    name of the node it executes.
    kernel:  "conv" for ``eq_conv`` in ``kernels/conv.h`` (variants have their own, "conv_dsp").
    variant: "portable", "dsp", "mve", …; why: one line that says why this one was chosen.
    brief:   the same for a person: without kernels of other cores.
    fixed:   C expressions of the compile-time arguments.
    params:  fields of ``eq_<kernel>_t`` by name.
    inputs:  values of the arena that are read, in the order of x[]; output: the value that is written.
    scratch: bytes of the arena that the kernel needs while it runs; 0: none. A kernel that needs some always does, and
             takes them as one more argument after `y`: ``void *scratch``, aligned as the arena is.
    instructions: that the call takes, about (edgeq/mcu/costs.py); None where no model knows.
    overwrites: inputs over which this kernel may write its output, beside those of the operator's `inplace_candidates`.
    """

    node: str
    kernel: str
    variant: str
    why: str
    fixed: tuple[str, ...]
    params: Mapping[str, Param] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    output: str = ""
    scratch: int = 0
    overwrites: tuple[str, ...] = ()
    brief: str = ""
    instructions: int | None = None
