"""Every kind of fault makes verify fail and names the layer it sits in: a comparison that cannot fail is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeq.formats import FixedPoint
from edgeq.ir import Graph, check
from edgeq.verify import TraceFunction, VerifyResult, verify
from edgeq.verify.executors import find
from tests.verify.nets import residual_net


def with_constant(net: Graph, name: str, change: Callable[[np.ndarray], None]) -> Graph:
    """The net with a constant changed in place by `change`."""
    value = net.values[name]
    assert value.data is not None
    data = value.data.copy()
    change(data)
    assert not np.array_equal(data, value.data)
    changed = net.replace(values={**net.values, name: replace(value, data=data)})
    check(changed)
    return changed


def flip(index: tuple[int, ...], bit: int) -> Callable[[np.ndarray], None]:
    """Flip one bit of the 8-bit pattern at `index`."""

    def change(data: np.ndarray) -> None:
        data[index] = np.uint8(int(data[index]) & 0xFF ^ (1 << bit)).view(np.int8)

    return change


def add(index: tuple[int, ...] | slice, amount: int) -> Callable[[np.ndarray], None]:
    def change(data: np.ndarray) -> None:
        data[index] += amount

    return change


def with_point(net: Graph, name: str, by: int) -> Graph:
    """The net with the binary point of a constant moved: the shift of the layer's output stage is off by `by`."""
    value = net.values[name]
    assert isinstance(value.format, FixedPoint)
    assert isinstance(value.format.point, int)
    fmt = replace(value.format, point=value.format.point + by)
    return net.replace(values={**net.values, name: replace(value, format=fmt)})


def with_attribute(net: Graph, node: str, **attrs: Any) -> Graph:
    nodes = tuple(replace(n, attrs={**n.attrs, **attrs}) if n.name == node else n for n in net.nodes)
    changed = net.replace(nodes=nodes)
    check(changed)
    return changed


NET = residual_net()
#: fault -> the layer that must be named, the faulty network
FAULTS: dict[str, tuple[str, Graph]] = {
    "lowest bit of a weight": ("stem", with_constant(NET, "stem.weight", flip((2, 1, 1, 0), 0))),
    "highest bit of a weight": ("stem", with_constant(NET, "stem.weight", flip((5, 0, 2, 2), 7))),
    "packed 4-bit weight": ("block.depthwise", with_constant(NET, "block.depthwise.weight", add((3, 1, 1, 0), -1))),
    "last weight of the head": ("head", with_constant(NET, "head.weight", flip((4, 5), 0))),
    "bias": ("block.depthwise", with_constant(NET, "block.depthwise.bias", add((2,), 8))),
    "bias by one": ("head", with_constant(NET, "head.bias", add((3,), 4))),
    "shift": ("stem", with_point(with_point(NET, "stem.weight", -1), "stem.bias", -1)),
    "shift of the last layer": ("head", with_point(with_point(NET, "head.weight", -1), "head.bias", -1)),
    "table entry": ("act", with_constant(NET, "act.table", add((133,), 1))),
    "table end": ("act", with_constant(NET, "act.table", add((255,), -1))),
    "rounding": ("stem", with_attribute(NET, "stem", rounding="floor")),
    "tie": ("head.mean", with_attribute(NET, "head.mean", rounding="half_even")),
    "saturation": ("block.add", with_attribute(NET, "block.add", hi=126)),
    "lost ReLU": ("stem", with_attribute(NET, "stem", lo=-128)),
}


def expect(result: VerifyResult, layer: str) -> None:
    assert not result.equal
    assert result.mismatches > 0
    first = result.first_divergence
    assert first is not None
    assert first.layer == layer
    assert first.codes[0] != first.codes[1]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_its_layer_named(fault: str) -> None:
    layer, faulty = FAULTS[fault]
    result = verify(NET, faulty, random=64, against="reference")
    expect(result, layer)
    # The other side agrees with the mutation-free net on all layers before: the same data, no fault, no difference.
    assert verify(NET, "emulator", random=64, against="reference").equal


def test_the_report_recomputes_the_element() -> None:
    """With the operands of the report a reader gets the golden code, and with the changed weight the other one."""
    layer, faulty = FAULTS["highest bit of a weight"]
    first = verify(NET, faulty, random=16).first_divergence
    assert first is not None
    assert first.layer == layer
    x, w, bias = first.inputs
    assert (x.role, w.role, bias.role) == ("x", "weight", "bias")
    assert x.value == "image"
    total = sum(a * b for a, b in zip(x.codes, w.codes, strict=True)) + bias.codes[0]
    assert first.exact is not None
    assert (total, 12) == (first.exact.num, first.exact.frac)
    fmt = NET.values["stem"].format
    golden = min(max((total + (1 << 6)) >> 7, 0), fmt.grid_range[1])
    assert first.codes[1] == golden
    assert first.reals[1] == golden / 32
    changed = faulty.values["stem.weight"].data
    assert changed is not None
    other = sum(a * int(changed[i]) for a, i in zip(x.codes, w.indices, strict=True)) + bias.codes[0]
    assert first.codes[0] == min(max((other + (1 << 6)) >> 7, 0), fmt.grid_range[1])


def spoil(row: int) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    def change(inputs: Mapping[str, Any]) -> dict[str, Any]:
        codes = inputs["image"].copy()
        codes[:, row] = np.where(codes[:, row] > 0, codes[:, row] - 100, codes[:, row] + 100)
        return {"image": codes}

    return change


@pytest.mark.parametrize("row", [0, 7])
def test_a_changed_input_row_blames_the_first_layer(row: int, tmp_path: Any) -> None:
    """An execution that was given another row and does not show its input: the first layer to read it differs."""
    golden = find("emulator", NET, tmp_path)

    def run(inputs: Mapping[str, Any]) -> dict[str, Any]:
        found = golden.trace(spoil(row)(inputs))
        return {name: codes for name, codes in found.items() if name not in NET.inputs}

    result = verify(NET, TraceFunction("spoiled", run), random=4)
    expect(result, "stem")
    assert result.first_divergence is not None
    assert abs(result.first_divergence.index[0] - row) <= 1
