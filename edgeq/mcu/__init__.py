"""C firmware for microcontrollers: lowering, rendering, toolchains and runners."""
