"""The golden execution: runs a graph on whole batches and traces every tensor."""

from edgeq.emulator.execute import Trace, reference, run, trace

__all__ = ["Trace", "reference", "run", "trace"]
