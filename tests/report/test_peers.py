"""Recorded figures of other stacks: the network is recognised by its layers, and the ratios are what they say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.networks import NETWORKS, SCALED, Maker
from edgeq.cli import main
from edgeq.ir import Graph
from edgeq.report import peers

NAMES = {
    "resnet8": "MLPerf Tiny IC, ResNet-8",
    "dscnn": "MLPerf Tiny KWS, DS-CNN",
    "autoencoder": "MLPerf Tiny AD, autoencoder",
}


def small() -> Graph:
    m = Maker("small")
    return m.graph(m.linear(m.input(16), 16, 4, name="fc"))


def measured(core: str, count: int | None, macs: int = 264192) -> dict[str, Any]:
    rows = [
        {"op": "linear", "macs": 1000, "instructions": None if count is None else 1880},
        {"op": "mul", "macs": 1000, "instructions": 10},
        {"op": "add", "macs": 0, "instructions": 10},
    ]
    return {"core": core, "instructions": count, "macs": macs, "layers": rows}


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_recognised_by_their_layers(name: str) -> None:
    for make in (NETWORKS[name], SCALED[f"{name} scaled"]):
        found = peers.known(make())
        assert found is not None
        assert found["name"] == NAMES[name]


def test_other_networks_are_not() -> None:
    assert peers.known(small()) is None
    m = Maker("wider")
    x, width = m.input(640), 640
    for i, outputs in enumerate((128, 128, 128, 128, 8, 128, 128, 128, 128, 641)):
        x, width = m.linear(x, width, outputs, name=f"fc{i}"), outputs
    assert peers.known(m.graph(x)) is None


def test_every_recorded_network_adds_up() -> None:
    """The MACs of a record are those of its layers: weights times positions."""
    for network in peers.recorded()["network"]:
        total = 0
        for layer in network["layers"]:
            _, weight, _, out = layer.split()
            shape, places = (tuple(map(int, part.split("x"))) for part in (weight, out))
            total += int(np.prod(shape)) * int(np.prod(places[:-1]))
            assert shape[0] == places[-1]
        assert total == network["macs"]
        for peer in network["peers"]:
            assert ("instructions" in peer) != ("at_most" in peer)


def test_ratios() -> None:
    net = NETWORKS["autoencoder"]()
    found = peers.compared(net, measured("cortex-m4", 291478))
    rows = {p["stack"]: p for p in found["compare"]["peers"]}
    assert rows["TFLM + CMSIS-NN"]["times_ours"] == 2.0
    assert rows["TFLM + CMSIS-NN"]["per_mac"] == 2.207
    assert not rows["best closed engine, published"]["counted"]
    assert [row["times_possible"] for row in found["layers"]] == [2.0, None, None]
    assert found["compare"]["times_possible"] == pytest.approx(291478 / 264192 / 0.94, abs=1e-3)
    assert all(p["core"] == "cortex-m4" for n in peers.recorded()["network"] for p in n["peers"] if "cycles" in p)


def test_what_is_not_known_is_null() -> None:
    found = peers.compared(small(), measured("cortex-m4", 500, 64))["compare"]
    assert (found["network"], found["peers"]) == (None, [])
    found = peers.compared(NETWORKS["autoencoder"](), measured("cortex-m3", 500))
    assert (found["compare"]["peers"], found["compare"]["possible_per_mac"]) == ([], None)
    assert [row["times_possible"] for row in found["layers"]] == [None] * 3
    found = peers.compared(NETWORKS["autoencoder"](), measured("cortex-m4", None))
    assert found["compare"]["peers"][0]["times_ours"] is None
    assert found["compare"]["times_possible"] is None


@pytest.mark.parametrize("make", [small, NETWORKS["autoencoder"]])
def test_the_command_on_the_host(make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make().save(tmp_path / "net.edgeq")
    words = ["bench", str(tmp_path / "net.edgeq"), "--board", "host", "--compare", "--optimize", "-O1"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["compare"]["peers"] == []
    assert all("times_possible" in row for row in found["layers"])
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "of other stacks are recorded for" in text
    assert ("MLPerf Tiny AD" in text) == (found["compare"]["network"] is not None)
