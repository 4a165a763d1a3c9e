"""Builds that several tests read: each network is compiled once for each board."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgeq.mcu.build import BuildResult, build
from tests.mcu.nets import ALL


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
