"""What users may hand to a graph as input."""

from __future__ import annotations

import numpy as np
import pytest

from edgeq.errors import InputError
from tests.verify.nets import residual_net


def test_a_list_has_one_array_for_each_input() -> None:
    net = residual_net()
    shape = net.values[net.inputs[0]].shape
    layout = net.layouts.get(net.inputs[0], tuple(range(len(shape))))
    user = [0] * len(shape)
    for axis, n in zip(layout, shape, strict=True):
        user[axis] = n
    x = np.random.default_rng(0).normal(size=(3, *user))
    np.testing.assert_array_equal(net.run([x]), net.run(x))
    np.testing.assert_array_equal(net.run({net.inputs[0]: x}), net.run(x))
    for nested in (x.tolist(), tuple(x), "abc"):
        with pytest.raises(InputError, match=r"takes 1 inputs: .*asarray") as error:
            net.run(nested)
        assert "\n" not in str(error.value)
