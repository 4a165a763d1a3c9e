"""What runs when: samples of parameters in the default run, and a time budget for the long suites of CI."""

from __future__ import annotations

import time
import zlib
from collections import defaultdict

import pytest

START = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=None, help="start no test after this many minutes; skip the rest")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked `sample(n)`, all parameters but one in n are heavy.

    Which are taken depends on their names only, so that no parameter is left out because of its place in a product.
    """
    found: dict[tuple[int, str], list[pytest.Item]] = defaultdict(list)
    for item in items:
        mark = item.get_closest_marker("sample")
        if mark is not None and item.get_closest_marker("heavy") is None:
            found[mark.args[0], item.nodeid.split("[")[0]].append(item)
    for (n, _), group in found.items():
        group.sort(key=lambda item: zlib.crc32(item.nodeid.encode()))
        for item in group[-(-len(group) // n) :]:
            item.add_marker("heavy")


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("--minutes")
    if minutes is not None and time.monotonic() - START > 60 * minutes:
        pytest.skip(f"the budget of {minutes:g} minutes is spent; `make heavy` without MINUTES runs all")
