"""Builds that several tests read, each compiled once for each board; kernels under test run although others may pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from edgeq.mcu.build import BuildResult, build
from edgeq.mcu.select import chosen_by_rank
from tests.mcu.nets import ALL


@pytest.fixture(autouse=True)
def first_kernels(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of kernels get the first that supports a node, also where the cost model finds a later one cheaper."""
    if not request.node.path.name.startswith("test_kernels_"):
        yield
        return
    with chosen_by_rank(0):
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., BuildResult]:
    """`built(net, board, toolchain=None)`: the build of a network of `tests.mcu.nets`; do not change its folder."""
    found: dict[tuple[str, str, str | None], BuildResult] = {}

    def get(net: str, board: str, toolchain: str | None = None) -> BuildResult:
        key = (net, board, toolchain)
        if key not in found:
            folder = tmp_path_factory.mktemp(f"{net}-{board}") / "out"
            found[key] = build(ALL[net](), board, folder, toolchain=toolchain)
        return found[key]

    return get
