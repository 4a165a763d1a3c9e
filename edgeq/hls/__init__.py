"""High-level synthesis: the dataflow of a network as a C++ project for the vendor's tools, and its C simulation here.

The stages, their folding and the depths of the FIFOs are those of the Verilog (`edgeq.fpga.lower`); this package
writes them as calls of `hls/cpp`.
"""
