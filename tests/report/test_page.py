"""The page: what is on it, that it stands alone, and that hostile names stay text."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import edgeq
from edgeq.errors import FileError
from edgeq.mcu.build import BuildResult
from edgeq.report import make_page, render, write
from edgeq.report.page import LayerRow, Page, Part
from edgeq.verify import random_inputs, verify
from tests.verify.nets import residual_net

NET = residual_net()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return edgeq.build(NET, "host", tmp_path_factory.mktemp("build") / "net")


class Checker(HTMLParser):
    """Collects elements and text, and complains of what does not close."""

    VOID = {"meta", "link", "br", "img", "path", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @classmethod
    def of(cls, text: str) -> Checker:
        checker = cls()
        checker.feed(text)
        assert checker.open == []
        return checker


def test_the_page_says_what_is_known(built: BuildResult) -> None:
    inputs = random_inputs(NET, 8)
    check = verify(NET, built, codes=inputs)
    page = make_page(
        built,
        inputs,
        data="random codes",
        checks=[check],
        accuracy=[("float", 0.9712, "all"), ("device", None, "later")],
    )
    parsed = Checker.of(render(page))
    text = " ".join(" ".join(parsed.words).split())
    for row in page.layers:
        assert row.layer in text
    assert f"{built.program.macs:,}" in text
    assert check.line() in text
    assert "97.12 %" in text
    assert f"{built.arena:,} bytes. Each rectangle is a buffer" in text
    assert "Flash:" not in text, "a host build has no image"
    blocks = [a for tag, a in parsed.elements if tag == "div" and a.get("class") == "block"]
    assert len(blocks) == len(built.plan.buffers)
    plots = [tag for tag, _ in parsed.elements if tag == "figure"]
    assert len(plots) == len(page.weights) + len(page.activations) == 3 + 8


def test_the_page_stands_alone(built: BuildResult) -> None:
    text = render(make_page(built, random_inputs(NET, 2), data="random codes"))
    for tag, attributes in Checker.of(text).elements:
        assert tag not in ("script", "link", "iframe", "img", "object", "embed")
        assert not {"src", "href", "srcset", "onload", "onclick"} & attributes.keys()
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text
    assert len(text) < 200_000


def test_hostile_names_stay_text() -> None:
    bad = "<script>alert(1)</script>\"'&"
    row = LayerRow(bad, bad, bad, bad, bad, bad, 8, 1, 1, 1, bad, bad, bad, 5, 6)
    three, flash = [(bad, bad, bad)], [Part(bad, 3, bad)]
    page = Page(bad, bad, three, [(bad, 0.5, bad)], [(False, bad)], [row], flash=flash, facts=[(bad, bad)])
    parsed = Checker.of(render(page))
    assert "script" not in {tag for tag, _ in parsed.elements}
    assert bad in "".join(parsed.words)


def test_counts_and_shares_per_layer() -> None:
    rows = [
        LayerRow("a", "conv", "", "", "", "", 8, 100, 0, 0, instructions=750),
        LayerRow("b", "add", "", "", "", "", 8, 0, 0, 0, instructions=250),
    ]
    text = render(Page("t", "s", layers=rows))
    assert "75.0 %" in text
    assert "25.0 %" in text
    assert "7.50" in text
    assert "1,000" in text
    assert "instructions" not in render(Page("t", "s", layers=[replace(row, instructions=None) for row in rows]))


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = write(Page("t", "s"), tmp_path / "new" / "page.html")
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot be written"):
        write(Page("t", "s"), tmp_path / "file" / "page.html")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium here")
def test_a_browser_shows_it(built: BuildResult, tmp_path: Path) -> None:
    """Chromium lays the page out: no part is wider than the window, and every block of the arena has an area."""
    page = write(make_page(built, random_inputs(NET, 8), data="random codes"), tmp_path / "page.html")
    probe = (
        "<script>document.title = JSON.stringify([document.documentElement.scrollWidth <= innerWidth, "
        "[...document.querySelectorAll('.block')].every(b => b.offsetWidth > 0 && b.offsetHeight > 0)])</script></body>"
    )
    page.write_text(page.read_text("utf-8").replace("</body>", probe), "utf-8")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,900", "--dump-dom"]
    done = subprocess.run([*browser, page.as_uri()], capture_output=True, timeout=120, check=True)
    title = re.search(r"<title>(.*?)</title>", done.stdout.decode("utf-8"))
    assert title is not None
    assert title[1] == "[true,true]"
