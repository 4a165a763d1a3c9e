"""The host's side of the link to a network in an FPGA: requests over a serial port, repeated until they are answered.

`find_device(path, rates)` opens the port, `Device.check(graph)` asks what is behind it, `Device.run(graph, inputs)`
runs a batch. Every answer is checked by CRC-32 and sequence number and every request names its network, so that an
answer is right or there is none: what a line can do (garbage, lost or doubled bytes, a reset in the middle) costs a
repeat, and after `RETRIES` of them one DeviceError.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgeq.errors import EdgeqError
from edgeq.fpga import protocol
from edgeq.fpga.protocol import Frame, FrameReader, Identity
from edgeq.ir import Graph
from edgeq.progress import Progress, silent

RETRIES = 4  # repeats of one request
ANSWER_S = 5.0  # an inference may take this long, without the time on the line
REPLY_S = 1.0  # every other answer, with the delays of a USB bridge
SETTLE_S = 1.5 * protocol.IDLE_S  # silence after which the device surely waits for a new frame
FLUSH_S = 2.0  # how long a line may babble before a request is sent regardless
WRITE_S = 5.0  # a port that takes no bytes for so long, without the time on the line, is given up
DEFAULT_BAUD = 115200


class DeviceError(EdgeqError):
    """An FPGA board that does not answer, answers wrongly, or holds another network."""


class NoAnswerError(DeviceError):
    """Nobody answers in the protocol's words: no board, no bitstream, another line rate."""


class Port(Protocol):
    """A serial line. `name` is for messages; times are seconds of the line's own clock."""

    name: str

    def write(self, data: bytes) -> None:
        """Send all of `data`."""

    def read(self, timeout: float) -> bytes:
        """What has arrived, as soon as there is something; empty after `timeout` seconds of silence."""

    def clock(self) -> float:
        """Now."""

    def close(self) -> None:
        """Let go of the line."""


class SerialPort:
    """A `Port` on pyserial, which is imported here and nowhere else."""

    def __init__(self, path: str, baud: int) -> None:
        try:
            import serial
        except ImportError as error:
            raise DeviceError(f"port {path}: pyserial is not installed; `pip install edgeq[fpga]` brings it") from error
        self.name, self.baud = path, baud
        self.errors: tuple[type[Exception], ...] = (serial.SerialException, OSError)
        try:
            # A second program on the line would take this one's answers for its own, so it is kept out.
            self.line: Any = serial.Serial(path, baud, timeout=0, exclusive=True)
        except ValueError as error:
            raise DeviceError(f"port {path}: {baud} baud is refused by this port ({error})") from error
        except self.errors as error:
            raise DeviceError(f"port {path}: cannot be opened ({_reason(error)}); is the board plugged in?") from error

    def write(self, data: bytes) -> None:
        try:
            self.line.write_timeout = WRITE_S + 2 * len(data) * 10 / self.baud
            self.line.write(data)
            self.line.flush()
        except self.errors as error:
            raise DeviceError(
                f"port {self.name}: writing failed ({_reason(error)}); is the board still there?"
            ) from error

    def read(self, timeout: float) -> bytes:
        try:
            self.line.timeout = timeout
            first = bytes(self.line.read(1))
            return first + bytes(self.line.read(self.line.in_waiting)) if first else first
        except self.errors as error:
            raise DeviceError(
                f"port {self.name}: reading failed ({_reason(error)}); is the board still there?"
            ) from error

    def clock(self) -> float:
        return time.monotonic()

    def close(self) -> None:
        self.line.close()

    def _lost(self, what: str, error: Exception) -> DeviceError:
        return DeviceError(f"port {self.name}: {what} failed ({_reason(error)}); is the board still there?")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(text.split())


class _Failure(Exception):  # noqa: N818 (not an error of the user's: it is repeated)
    """One attempt that came to nothing; `status` is the device's own word, None for silence."""

    def __init__(self, status: int | None) -> None:
        super().__init__(protocol.STATUS_TEXT[status] if status is not None else "no answer")
        self.status = status


class Device:
    """A network behind a `Port`.

    retries:  repeats of a request before it fails for good.
    answer_s: seconds that an inference may take.
    sequence: the last sequence number used; random by default, so that an answer to an earlier program's request
              is not taken for one's own.
    """

    def __init__(
        self,
        port: Port,
        baud: int = DEFAULT_BAUD,
        *,
        retries: int = RETRIES,
        answer_s: float = ANSWER_S,
        sequence: int | None = None,
    ) -> None:
        self.port = port
        self.baud = baud
        self.retries = retries
        self.answer_s = answer_s
        self.sequence = secrets.randbelow(256) if sequence is None else sequence
        self.repeats: list[str] = []  # why requests were repeated, for reports and tests
        self._clean = False  # whether the line is known to be silent and the device to be waiting

    def identify(self) -> Identity:
        """Reset the device and ask it what it is; DeviceError where nobody answers, or in another version."""
        self._ask(Frame(protocol.RESET, 0), protocol.STATUS, 1)
        found = Identity.decode(self._ask(Frame(protocol.IDENTIFY, 0), protocol.IDENTITY, protocol.FACTS.size))
        if found is None or found.version != protocol.VERSION:
            version = "an unknown version" if found is None else f"version {found.version}"
            raise DeviceError(
                f"port {self.port.name}: the device speaks {version} of the protocol, this edgeq version "
                f"{protocol.VERSION}; build and load its bitstream again"
            )
        return found

    def check(self, graph: Graph) -> Identity:
        """Identify the device and make sure that it holds `graph`; DeviceError where it does not."""
        want, shape, found = protocol.network_id(graph), protocol.network_shape(graph), self.identify()
        if found.network == want and found.shape == shape:
            return found
        raise DeviceError(
            f"port {self.port.name}: the device holds network {found.network:08x} ({found.shape}), not "
            f"{graph.name!r} {want:08x} ({shape}); build this model and load its bitstream"
        )

    def run(
        self,
        graph: Graph,
        inputs: Mapping[str, npt.NDArray[Any]],
        progress: Progress = silent,
    ) -> dict[str, npt.NDArray[np.int64]]:
        """Run a batch of input codes (graph layout, batch first), one inference after the other; codes of the output.

        The device must hold `graph` (`check`); it refuses requests that name another network.
        """
        shape, network = protocol.network_shape(graph), protocol.network_id(graph).to_bytes(4, "little")
        batch, value = inputs[graph.inputs[0]], graph.values[graph.outputs[0]]
        answers = []
        for index, sample in enumerate(batch):
            request = Frame(protocol.RUN, 0, network + protocol.pack_codes(sample, shape.in_bits))
            payload = self._ask(request, protocol.RESULT, shape.out_bytes, graph)
            answers.append(protocol.unpack_codes(payload, value))
            progress(index + 1, len(batch))
        return {value.name: np.stack(answers)}

    def close(self) -> None:
        """Let go of the port."""
        self.port.close()

    def _ask(self, request: Frame, kind: int, length: int, graph: Graph | None = None) -> bytes:
        """Payload of the answer of type `kind`; the request is repeated until there is one."""
        failure = _Failure(None)
        for attempt in range(self.retries + 1):
            try:
                if attempt and request.kind == protocol.RUN and failure.status in (None, protocol.BUSY):
                    self._attempt(Frame(protocol.RESET, 0), protocol.STATUS, 1)  # it may hang in an earlier inference
                return self._attempt(request, kind, length)
            except _Failure as found:
                failure = found
                self._clean = False
                self.repeats.append(str(failure))
        if graph is not None and failure.status in (protocol.OTHER_NETWORK, protocol.BAD_LENGTH):
            self.check(graph)
        silent = failure.status is None
        advice = "is its bitstream loaded, and built for this line rate" if silent else "is the cable good"
        raise NoAnswerError(
            f"port {self.port.name}: no answer in {self.retries + 1} attempts at {self.baud} baud "
            f"(the last one: {failure}); {advice}?"
        )

    def _attempt(self, request: Frame, kind: int, length: int) -> bytes:
        """Send once and wait for the answer; _Failure where none comes or the device refuses."""
        if not self._clean:
            self._settle()
        self._clean = True
        self.sequence = (self.sequence + 1) % 256
        data = Frame(request.kind, self.sequence, request.payload).encode()
        reader = FrameReader({kind: length, protocol.STATUS: 1})
        self.port.write(data)
        on_line = (len(data) + 2 * protocol.OVERHEAD + length) * 10 / self.baud
        patience = self.answer_s if kind == protocol.RESULT else min(self.answer_s, REPLY_S)
        deadline = self.port.clock() + on_line + patience
        while (left := deadline - self.port.clock()) > 0:
            arrived = self.port.read(min(left, SETTLE_S))
            for frame in reader.feed(arrived) if arrived else reader.inside():
                if frame.sequence != self.sequence:
                    continue
                if frame.kind == kind and (kind != protocol.STATUS or frame.payload[0] == protocol.DONE):
                    return frame.payload
                raise _Failure(frame.payload[0] if frame.payload[0] in protocol.STATUS_TEXT else None)
        raise _Failure(None)

    def _settle(self) -> None:
        """Throw away what arrives until the line has been silent long enough for the device to wait for a frame."""
        end = self.port.clock() + FLUSH_S
        while self.port.read(SETTLE_S) and self.port.clock() < end:
            pass


def open_device(path: str, baud: int = DEFAULT_BAUD, *, answer_s: float = ANSWER_S) -> Device:
    """A device behind a serial port (`/dev/ttyUSB0`, `COM3`, …); DeviceError where the port cannot be opened."""
    return Device(SerialPort(path, baud), baud, answer_s=answer_s)


def find_device(path: str, rates: Sequence[int]) -> Device:
    """The device behind a serial port, at the first line rate at which it answers; DeviceError where it does not."""
    for rate in rates:
        device = open_device(path, rate)
        try:
            device.identify()
            return device
        except NoAnswerError as error:
            device.close()
            complaint = error
        except BaseException:
            device.close()
            raise
    if len(rates) == 1:
        raise complaint
    tried = " or ".join(map(str, rates))
    raise NoAnswerError(f"port {path}: no answer at {tried} baud; is its bitstream loaded? (--baud for another rate)")


def run_on_port(
    graph: Graph,
    inputs: Mapping[str, npt.NDArray[Any]],
    path: str,
    rates: Sequence[int] = (DEFAULT_BAUD,),
    progress: Progress = silent,
) -> dict[str, npt.NDArray[np.int64]]:
    """Run a batch of input codes on the device behind a serial port; codes of the output by name.

    rates: line rates to try, in this order.
    """
    protocol.network_shape(graph)  # a network that the link cannot carry is refused before the port is touched
    device = find_device(path, rates)
    try:
        device.check(graph)
        return device.run(graph, inputs, progress)
    finally:
        device.close()
