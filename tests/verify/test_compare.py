"""Comparing traces: what is counted, what is named first, and that nothing unseen counts as equal."""

from __future__ import annotations

import numpy as np
import pytest

import edgeq.verify
from edgeq.emulator import reference
from edgeq.errors import InputError
from edgeq.verify import Comparison, TraceFunction, compare_traces, random_inputs, verify
from tests.verify.nets import minifloat_net, residual_net


def test_equal_traces_count_every_computed_tensor() -> None:
    net = residual_net()
    result = verify(net, "emulator", random=5, against="reference")
    computed = [v for v in net.values.values() if not v.constant and v.name not in net.inputs]
    assert result.equal
    assert bool(result)
    assert result.samples == 5
    assert result.tensors == len(computed) == 7
    assert result.values == 5 * sum(v.size for v in computed)
    assert result.mismatches == 0
    assert result.first_divergence is None
    assert result.line().startswith("equal: emulator and reference agree on 8,215 values (7 tensors, 5 samples)")


def test_the_package_is_the_function_of_the_command_contract() -> None:
    assert edgeq.verify(residual_net(), "emulator", random=1, against="reference").equal


@pytest.mark.parametrize("name", ["stem", "block.add", "head"])
def test_one_changed_element_is_found_and_described(name: str) -> None:
    net = residual_net()
    inputs = random_inputs(net, 3)
    good = reference(net, inputs)
    bad = {key: codes.copy() for key, codes in good.items()}
    where = (2, *(n - 1 for n in net.values[name].shape))
    bad[name][where] += 1 if bad[name][where] < 0 else -1
    result = compare_traces(net, bad, good)
    assert not result.equal
    assert result.mismatches == 1
    first = result.first_divergence
    assert first is not None
    assert (first.layer, first.value, first.sample, first.index) == (name, name, 2, where[1:])
    assert first.codes == (int(bad[name][where]), int(good[name][where]))
    frac = net.values[name].format.frac
    assert isinstance(frac, int)
    assert first.reals == tuple(code * 2.0**-frac for code in first.codes)
    assert f"layer {name}" in result.line()


def test_a_layer_is_blamed_before_what_it_spoils_whichever_sample_shows_it() -> None:
    net = residual_net()
    inputs = random_inputs(net, 4)
    good = reference(net, inputs)
    bad = {key: codes.copy() for key, codes in good.items()}
    bad["head"][0, 0] += 1  # a late layer in an early sample
    bad["stem"][3, 0, 0, 0] ^= 1  # an early layer in a late sample
    comparison = Comparison(net, ("a", "b"))
    for i in range(4):
        comparison.add({k: v[i : i + 1] for k, v in bad.items()}, {k: v[i : i + 1] for k, v in good.items()})
    first = comparison.result().first_divergence
    assert first is not None
    assert (first.value, first.sample) == ("stem", 3)
    assert comparison.result().mismatches == 2
    assert comparison.result().samples == 4


def test_a_changed_input_row_is_named_as_the_input() -> None:
    net = residual_net()

    def spoiled(inputs):  # type: ignore[no-untyped-def]
        codes = {name: array.copy() for name, array in inputs.items()}
        codes["image"][1, 4] = 0
        return reference(net, codes)

    result = verify(net, TraceFunction("spoiled", spoiled), random=2)
    assert result.first_divergence is not None
    assert result.first_divergence.op == "input"
    assert result.first_divergence.value == "image"
    assert result.first_divergence.index[0] == 4


def test_an_unseen_tensor_is_not_called_equal() -> None:
    net = residual_net()
    trace = reference(net, random_inputs(net, 1))
    partial = {key: codes for key, codes in trace.items() if key != "pool"}
    with pytest.raises(InputError, match="does not show the tensor 'pool'"):
        compare_traces(net, partial, trace)
    result = compare_traces(net, partial, trace, may_skip=True)
    assert result.skipped == ("pool",)
    assert result.tensors == 6


def test_nothing_compared_is_not_equal() -> None:
    net = residual_net()
    assert not compare_traces(net, {}, {}, may_skip=True).equal


def test_wrong_shapes_and_types_are_refused() -> None:
    net = residual_net()
    trace = reference(net, random_inputs(net, 2))
    with pytest.raises(InputError, match="has shape"):
        compare_traces(net, trace | {"head": trace["head"][:, :4]}, trace)
    with pytest.raises(InputError, match=r"has \(1, 5\)"):
        compare_traces(net, trace | {"head": trace["head"][:1]}, trace)
    with pytest.raises(InputError, match="codes or floats"):
        compare_traces(net, trace | {"head": trace["head"] > 0}, trace)


def test_real_numbers_are_compared_exactly_with_codes() -> None:
    net = residual_net()
    codes = reference(net, random_inputs(net, 2))
    reals = {name: net.values[name].format.decode(array) for name, array in codes.items()}
    assert compare_traces(net, reals, codes).equal
    reals["head"][1, 2] = np.nextafter(reals["head"][1, 2], np.inf)  # less than any step of the format
    result = compare_traces(net, reals, codes)
    assert result.mismatches == 1
    assert result.first_divergence is not None
    assert result.first_divergence.codes[0] == result.first_divergence.codes[1]
    assert result.first_divergence.reals[0] != result.first_divergence.reals[1]
    reals["stem"][0, 0, 0, 0] = np.nan
    assert compare_traces(net, reals, codes).first_divergence.value == "stem"  # type: ignore[union-attr]


def test_negative_zero_of_a_minifloat_is_another_code() -> None:
    net = minifloat_net()
    trace = reference(net, random_inputs(net, 8))
    zeros = np.argwhere(trace["fc1"] == 0)
    assert len(zeros), "the data must hold a zero"
    other = {name: codes.copy() for name, codes in trace.items()}
    other["fc1"][tuple(zeros[0])] = 0x80
    assert compare_traces(net, other, trace).mismatches == 1


@pytest.mark.parametrize("bad", [{}, {"x": np.zeros((1, 3, 8, 8)), "random": 3}])
def test_data_is_given_one_way(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"verify: takes a network .* not str"):
        verify("net.edgeq", "host", random=1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="either input data or a number"):
        verify(residual_net(), "emulator", **bad)  # type: ignore[arg-type]


def test_what_cannot_execute_is_refused() -> None:
    with pytest.raises(InputError, match="cannot execute a network on int"):
        verify(residual_net(), 3, random=1)
    with pytest.raises(InputError, match="choose one of"):
        verify(residual_net(), "no-such-board", random=1)


def test_user_layout_is_respected() -> None:
    net = residual_net()
    x = np.random.default_rng(3).normal(size=(2, 3, 8, 8))
    seen = {}

    def spy(inputs):  # type: ignore[no-untyped-def]
        seen.update(inputs)
        return reference(net, inputs)

    assert verify(net, TraceFunction("spy", spy), x).equal
    assert np.array_equal(seen["image"], net.values["image"].format.quantize(x.transpose(0, 2, 3, 1)))
