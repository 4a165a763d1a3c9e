"""The host's side of semihosting for unicorn: the calls of firmware/ports/semihost.c on files in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edgeq.errors import ToolError

SYS_OPEN, SYS_CLOSE, SYS_WRITE0, SYS_WRITE, SYS_READ, SYS_EXIT_EXTENDED = 0x01, 0x02, 0x04, 0x05, 0x06, 0x20
APPLICATION_EXIT = 0x20026
FAILED = 0xFFFFFFFF
MAX_FILE = 2**30  # bytes; a runaway firmware must not fill the host's memory
MAX_TEXT = 64 * 1024


class Semihost:
    """Files (`files`, by name), printed `text` and `exit_code` of one run."""

    def __init__(
        self,
        read: Callable[[int, int], bytearray],
        write: Callable[[int, bytes], None],
        files: Mapping[str, bytes],
    ) -> None:
        self._read, self._write = read, write
        self._inputs = dict(files)
        self._written: dict[str, bytearray] = {}
        self._open: dict[int, tuple[str, bool]] = {}
        self._position: dict[int, int] = {}
        self._next = 1
        self.text = ""
        self.exit_code: int | None = None

    @property
    def files(self) -> dict[str, bytes]:
        """The files that the firmware wrote."""
        return {name: bytes(data) for name, data in self._written.items()}

    def _word(self, block: int, index: int) -> int:
        return int.from_bytes(self._read(block + 4 * index, 4), "little")

    def call(self, operation: int, argument: int) -> int:
        """Do one call; returns what goes into r0. `ToolError` for a call that the harness never makes."""
        if operation == SYS_OPEN:
            return self._sys_open(argument)
        if operation == SYS_CLOSE:
            return 0 if self._open.pop(self._word(argument, 0), None) else FAILED
        if operation == SYS_WRITE0:
            self._print(argument)
            return 0
        if operation == SYS_WRITE:
            return self._sys_write(argument)
        if operation == SYS_READ:
            return self._sys_read(argument)
        if operation == SYS_EXIT_EXTENDED:
            reason, status = self._word(argument, 0), self._word(argument, 1)
            self.exit_code = status & 0xFF if reason == APPLICATION_EXIT else 1
            return 0
        raise ToolError(f"operation {operation:#x} is not one that edgeq's firmware uses")

    def _sys_open(self, block: int) -> int:
        length = self._word(block, 2)
        name = bytes(self._read(self._word(block, 0), min(length, 256))).decode("latin-1")
        writing = self._word(block, 1) >= 4
        if not writing and name not in self._inputs:
            return FAILED
        if writing:
            self._written[name] = bytearray()
        handle, self._next = self._next, self._next + 1
        self._open[handle] = (name, writing)
        self._position[handle] = 0
        return handle

    def _print(self, address: int) -> None:
        data = bytearray()
        while len(data) < MAX_TEXT:
            byte = self._read(address + len(data), 1)
            if byte == b"\0":
                break
            data += byte
        self.text = (self.text + data.decode("utf-8", "replace"))[:MAX_TEXT]

    def _sys_write(self, block: int) -> int:
        handle, address, length = (self._word(block, i) for i in range(3))
        name, writing = self._open.get(handle, ("", False))
        if not writing or len(self._written[name]) + length > MAX_FILE:
            return length
        if length:
            self._written[name] += self._read(address, length)
        return 0

    def _sys_read(self, block: int) -> int:
        handle, address, length = (self._word(block, i) for i in range(3))
        name, writing = self._open.get(handle, ("", True))
        if writing:
            return length
        start = self._position[handle]
        data = self._inputs[name][start : start + length]
        if data:
            self._write(address, data)
        self._position[handle] = start + len(data)
        return length - len(data)
