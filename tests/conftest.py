"""A time budget for long suites: what does not fit is skipped with that reason, so that CI ends in time."""

from __future__ import annotations

import time

import pytest

START = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--minutes", type=float, default=None, help="start no test after this many minutes; skip the rest")


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption("--minutes")
    if minutes is not None and time.monotonic() - START > 60 * minutes:
        pytest.skip(f"the budget of {minutes:g} minutes is spent; `make heavy` without MINUTES runs all")
