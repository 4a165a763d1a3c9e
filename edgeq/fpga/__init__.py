"""Hardware: a graph as streaming stages in Verilog, simulated, placed and routed.

`lower` makes a `Dataflow`, `edgeq.fpga.render.write` its Verilog, `edgeq.fpga.simulate.simulate` runs that.
"""

from edgeq.fpga.dataflow import Dataflow, Rom, Stage, Stream
from edgeq.fpga.lower import lower

__all__ = ["Dataflow", "Rom", "Stage", "Stream", "lower"]
