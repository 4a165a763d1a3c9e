"""How many of ONNX's own backend tests of single nodes edgeq answers: a table, and results/onnx_nodes.json.

    python benchmarks/onnx_nodes.py             all of them; with --record the figures are kept
    python benchmarks/onnx_nodes.py --why       with the reason for each that is not supported

What "exact" and "close" assert is stated in tests/frontends/onnx_nodes.py. "outside": tests of operators that edgeq
does not read, of sequences, strings and control flow. Exit 1 if any answer is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import onnx  # noqa: E402
from frontends.onnx_nodes import count, names, outcome  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "onnx_nodes.json"


def main() -> int:
    """Run the suite and print the counts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--record", action="store_true", help=f"write {RESULTS.name}")
    options.add_argument("--why", action="store_true", help="say why tests are not supported")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {name: outcome(name, Path(scratch)) for name in names()}
    counts = count(found)
    print(f"onnx {onnx.__version__}: {len(found)} tests")
    for status in ("exact", "close", "wrong", "not supported", "outside"):
        print(f"{status:>14}: {counts[status]}")
    for name, one in found.items():
        if one.status == "wrong" or (chosen.why and one.status == "not supported"):
            print(f"{name}: {one.status}: {one.why}")
    if chosen.record:
        passed = {s: [n for n, o in found.items() if o.status == s] for s in ("exact", "close", "wrong")}
        RESULTS.write_text(json.dumps({"onnx": onnx.__version__, "counts": counts, **passed}, indent=1) + "\n")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
