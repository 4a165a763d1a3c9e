"""The golden execution: runs a graph on whole batches and traces every tensor."""

from edgeq.emulator.execute import Trace, decode_outputs, encode_inputs, reference, run, trace
from edgeq.emulator.fast import Executor, executor

__all__ = ["Executor", "Trace", "decode_outputs", "encode_inputs", "executor", "reference", "run", "trace"]
