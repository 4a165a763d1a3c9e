"""A second opinion: the same graph through hls4ml's converter, its C simulation compared with the emulator.

`plan` says the graph in hls4ml's words, with a type for every weight, bias, accumulator and result; `worker` lets
hls4ml convert, write, compile and trace that; `build` keeps its project with what the comparison found.
"""
