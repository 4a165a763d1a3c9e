"""The demo's course: train, quantise, export, emulate, build, run on an emulated board, compare, measure, report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgeq.demo.outcome import Outcome, Variant
from edgeq.errors import FileError

if TYPE_CHECKING:
    from torch import nn

    from edgeq.demo.digits import Digits
    from edgeq.ir import Graph
    from edgeq.mcu.build import BuildResult
    from edgeq.progress import Progress
    from edgeq.quant import Recipe
    from edgeq.verify import VerifyResult

BOARD = "cortex-m4"
SEED = 1
RESULT = "demo.json"

#: called with what is being done now, how many of how many steps lie behind, and how far this one is ("" at its start)
Step = Callable[[str, int, int, str], None]


def recipes() -> dict[str, Recipe]:
    """The variants: 8-bit weights and activations, and 4-bit ones with the first and last layer in 8 bits."""
    from edgeq.quant import Recipe

    eight = {"weights": 8, "activations": 8}
    return {
        "W8A8": Recipe(weights=8, activations=8),
        "W4A4": Recipe(weights=4, activations=4, first=eight, last=eight),
    }


def run_demo(out: Path, board: str = BOARD, step: Step = lambda what, done, total, detail: None) -> Outcome:
    """Do everything once and leave models, firmware and pages in `out`. The same seed gives the same figures.

    FileError, before anything is trained, where `out` cannot be written or holds what no demo left there.
    """
    start = time.perf_counter()
    _claim(out)
    from edgeq.demo import digits

    total = 1 + 5 * len(recipes())
    what = "training a float network on handwritten digits"
    step(what, 0, total, "")
    data = digits.load()
    model = digits.train_float(
        data, seed=SEED, progress=lambda epoch, epochs: step(what, 0, total, f"epoch {epoch} of {epochs}")
    )
    course = _Course(data, model, digits.accuracy(model, data.test_x, data.test_y), out, board, step, total)
    variants = [course.variant(name, recipe) for name, recipe in recipes().items()]
    runner, toolchain = course.where
    outcome = Outcome(board, runner, toolchain, time.perf_counter() - start, tuple(variants))
    (out / RESULT).write_text(json.dumps(outcome.to_json(), indent=1, default=str) + "\n", "utf-8")
    return outcome


def _claim(out: Path) -> None:
    """Make the folder, or make sure that it is an earlier demo's (which need not have come to its end)."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in out.iterdir()}
    except OSError as error:
        raise FileError(f"{out}: cannot be written ({error.strerror}); choose another folder with -o") from error
    strange = sorted(there - {RESULT} - {name.lower() for name in recipes()})
    if strange and RESULT not in there:
        raise FileError(f"{out}: holds {strange[0]!r}, which no demo left there; choose another folder with -o")


@dataclass
class _Course:
    """What all variants share."""

    data: Digits
    model: nn.Module
    accuracy_float: float
    out: Path
    board: str
    step: Step
    total: int
    done: int = 0
    where: tuple[str, str] = ("", "")

    def _next(self, what: str) -> Progress:
        """Begin the next step; returns a function that tells how many epochs of it are done."""
        self.done += 1
        self.step(what, self.done, self.total, "")
        done = self.done
        return lambda epoch, epochs: self.step(what, done, self.total, f"epoch {epoch} of {epochs}")

    def variant(self, name: str, recipe: Recipe) -> Variant:
        """One quantised network from training to the report."""
        from edgeq.demo import digits
        from edgeq.frontends.torch import export
        from edgeq.mcu.bench import measured
        from edgeq.mcu.build import build

        folder = self.out / name.lower()
        folder.mkdir(parents=True, exist_ok=True)
        epoch = self._next(f"{name}: training with quantisation")
        prepared = digits.train_quantised(self.model, recipe, self.data, seed=SEED, progress=epoch)
        quantised = digits.accuracy(prepared, self.data.test_x, self.data.test_y)
        self._next(f"{name}: exporting, and comparing the emulator with the trained network")
        net = export(prepared, self.data.test_x[:2], name=f"digits_{name.lower()}")
        net.save(folder / "net.edgeq")
        self._next(f"{name}: building firmware for {self.board}")
        made = build(net, self.board, folder / "firmware")
        self._next(f"{name}: running {len(self.data.test_y)} images on the emulated {self.board}")
        checks, device = self._compare(net, prepared, made)
        self._next(f"{name}: counting instructions")
        bench = measured(made, self._codes(net))
        accuracy = {
            "float": self.accuracy_float,
            "quantised": quantised,
            "emulator": self._accuracy(net, net.run(self._images())),
            "device": self._accuracy(net, device),
        }
        self.where = (bench["runner"], made.toolchain)
        page = self._page(folder, made, bench, checks, accuracy)
        return Variant(
            name=name,
            **{f"accuracy_{key}": share for key, share in accuracy.items()},
            samples=len(self.data.test_y),
            tensors=checks[-1].tensors,
            values=sum(check.values for check in checks),
            differing=sum(check.mismatches for check in checks),
            macs=bench["macs"],
            flash=bench["flash"],
            ram=bench["ram"],
            instructions=bench["instructions"],
            cycles_estimated=bench["cycles_estimated"],
            counted_by=bench["instructions_method"],
            counted_exactly=bench["instructions_exact"],
            page=page,
            project=made.path,
            model=folder / "net.edgeq",
        )

    def _images(self) -> npt.NDArray[np.float32]:
        return np.asarray(self.data.test_x, dtype=np.float32)

    def _codes(self, net: Graph) -> dict[str, npt.NDArray[Any]]:
        from edgeq.emulator import encode_inputs

        return encode_inputs(net, self._images())[0]

    def _compare(
        self, net: Graph, prepared: nn.Module, made: BuildResult
    ) -> tuple[list[VerifyResult], npt.NDArray[Any]]:
        """Every tensor of every test image: trained network, emulator, C on this computer, emulated board."""
        from edgeq.emulator import decode_outputs
        from edgeq.verify import TraceFunction, verify
        from edgeq.verify.executors import built

        codes = self._codes(net)
        device = built(made, self.board)
        answers: list[npt.NDArray[Any]] = []

        def keep(inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
            trace = device.trace(inputs)
            answers.append(decode_outputs(net, trace, floats=True))
            return trace

        checks = [
            verify(net, prepared, codes=codes),
            verify(net, "host", codes=codes),
            verify(net, TraceFunction(self.board, keep), codes=codes),
        ]
        return checks, np.concatenate(answers)

    def _accuracy(self, net: Graph, answers: npt.NDArray[Any]) -> float:
        return float(np.mean(np.asarray(answers).argmax(axis=1) == np.asarray(self.data.test_y)))

    def _page(
        self,
        folder: Path,
        made: BuildResult,
        bench: Mapping[str, Any],
        checks: list[VerifyResult],
        accuracy: Mapping[str, float],
    ) -> Path:
        from edgeq.report import make_page, write

        notes = {
            "float": "the network before quantisation",
            "quantised": "trained with quantisation, in torch",
            "emulator": "integers in Python",
            "device": f"firmware on the emulated {self.board}",
        }
        page = make_page(
            made,
            self._codes(made.graph),
            data="the test set",
            bench=bench,
            checks=checks,
            accuracy=[(key, share, notes[key]) for key, share in accuracy.items()],
            facts=[("data", f"scikit-learn's digits: {len(self.data.test_y)} test images of 8×8"), ("seed", str(SEED))],
        )
        return write(page, folder / "report.html")
