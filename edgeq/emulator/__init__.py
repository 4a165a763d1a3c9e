"""The golden execution: runs a graph on whole batches and traces every tensor."""

from edgeq.emulator.execute import Trace, decode_outputs, encode_inputs, reference, run, trace

__all__ = ["Trace", "decode_outputs", "encode_inputs", "reference", "run", "trace"]
