"""Names of layers in tables."""

from __future__ import annotations

import pytest

from edgeq.ir.names import short_name


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("layer1.0.conv", "layer1.0.conv"),
        ("model/relu/Relu;model/norm/FusedBatchNormV3;model/conv/Conv2D", "model/relu/Relu"),
        (";odd", ";odd"),
        ("", ""),
        ("a" * 30 + "b" * 30, "…" + "a" * 17 + "b" * 30),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert short_name(name) == short
    assert len(short_name(name)) <= 48
