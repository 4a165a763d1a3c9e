"""Runs a .tflite file in one of TensorFlow Lite's interpreters; also a script, so that another Python can do it.

    python tflite_worker.py KIND MODEL REQUEST.npz ANSWER.npz

It imports numpy and the interpreter alone: tflite-runtime needs numpy below 2 and so an environment of its own.
REQUEST holds `tensors` (indices to read) and one array `input0`, `input1`, … for each input, samples first; ANSWER
holds `t<index>` for each tensor that the interpreter shows, samples first.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

#: interpreter -> the Python package that has it
PACKAGES = {
    "tflite-micro": "tflite_micro",
    "litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
}


class Micro:
    """TensorFlow Lite Micro, every tensor kept."""

    def __init__(self, model: str) -> None:
        from tflite_micro.python.tflite_micro import runtime

        keep = runtime.InterpreterConfig.kPreserveAllTensors
        # The argument's name is misspelt in the package.
        self._runtime = runtime.Interpreter.from_file(model, intrepreter_config=keep, arena_size=16 << 20)

    def run(self, inputs: list[Any], tensors: list[int]) -> dict[int, Any]:
        for position, array in enumerate(inputs):
            details = self._runtime.get_input_details(position)
            self._runtime.set_input(array.reshape(details["shape"]).astype(details["dtype"]), position)
        self._runtime.invoke()
        return {index: np.array(self._runtime.GetTensor(index, 0)["tensor_data"]) for index in tensors}


class Lite:
    """TensorFlow Lite with its own kernels; the delegate XNNPACK, which rounds otherwise, is left out."""

    def __init__(self, package: str, model: str) -> None:
        from importlib import import_module

        module = import_module(f"{package}.interpreter")
        self._runtime = module.Interpreter(
            model_path=model,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self._runtime.allocate_tensors()

    def run(self, inputs: list[Any], tensors: list[int]) -> dict[int, Any]:
        for details, array in zip(self._runtime.get_input_details(), inputs):  # noqa: B905 (older Pythons run this)
            self._runtime.set_tensor(details["index"], array.reshape(details["shape"]).astype(details["dtype"]))
        self._runtime.invoke()
        found = {}
        for index in tensors:
            try:
                found[index] = np.array(self._runtime.get_tensor(index))
            except ValueError:  # a tensor that the interpreter has optimised away
                continue
        return found


def run(kind: str, model: str, tensors: list[int], inputs: list[Any]) -> dict[int, Any]:
    """Tensors of all samples: index -> array, samples first. inputs: one array for each input, samples first."""
    machine = Micro(model) if kind == "tflite-micro" else Lite(PACKAGES[kind], model)
    samples = [machine.run([array[i] for array in inputs], tensors) for i in range(len(inputs[0]))]
    shown = [index for index in tensors if all(index in found for found in samples)]
    return {index: np.stack([found[index] for found in samples]) for index in shown}


def main(kind: str, model: str, request: str, answer: str) -> None:
    """Answer one request from files."""
    with np.load(request) as asked:
        inputs = [asked[f"input{i}"] for i in range(len(asked.files) - 1)]
        tensors = [int(index) for index in asked["tensors"]]
    np.savez(answer, **{f"t{index}": array for index, array in run(kind, model, tensors, inputs).items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
