"""`python -m edgeq.boards` writes docs/boards.md again."""

from pathlib import Path

from edgeq.boards.page import boards_markdown

(Path(__file__).resolve().parents[2] / "docs" / "boards.md").write_text(boards_markdown(), "utf-8")
