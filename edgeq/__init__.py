"""edgeq: one trained network as MCU firmware, FPGA project and Python emulator, equal to the bit."""

__version__ = "0.1.0"
