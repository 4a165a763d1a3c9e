"""The pages tell the truth: their Python runs, their commands exist, their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/first-ten-minutes.md"])
def test_the_python_of_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("brevitas")
    import edgeq

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten()
    float_model = torch.nn.Sequential(*layers, torch.nn.Linear(4 * 36, 3)).eval()
    example = torch.randn(8, 1, 8, 8)
    known: dict[str, Any] = {
        "float_model": float_model,
        "example": example,
        "batches": [example],
        "x": example.numpy(),
        "train": lambda model: edgeq.calibrate(model, [example]),
    }
    code = "\n".join(blocks(ROOT / name, "python"))
    if name == "README.md":
        from edgeq.boards import load_board
        from edgeq.mcu.runners import available_runners
        from edgeq.mcu.toolchains import available_toolchains

        board = load_board("cortex-m4")
        if not (available_runners(board) and available_toolchains(board)):
            code = code.replace("cortex-m4", "host")
    exec(compile(code, name, "exec"), known)
    assert edgeq.load("net.edgeq") == known["net"]
    if "y" in known:
        assert known["y"].shape == (8, 3)
        assert known["tensors"].keys() == {v.name for v in known["net"].values.values() if not v.constant}
    assert np.isfinite(known["net"].run(example)).all()


def test_commands_in_the_pages_exist() -> None:
    from edgeq.commands import COMMANDS

    shown = {
        word for page in PAGES for block in blocks(page, "sh") for word in re.findall(r"^edgeq (\w+)", block, re.M)
    }
    assert {"boards", "inspect", "build", "run", "verify", "bench", "report"} <= shown
    assert shown <= COMMANDS.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        file = (page.parent / name) if name else page
        assert file.exists(), f"{page.name}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
            assert heading in slugs, f"{page.name}: {target}"
