"""The same faults in compiled C: firmware with a fault differs from the golden net at the faulty layer."""

from __future__ import annotations

from pathlib import Path

import pytest

import edgeq
from edgeq.boards import load_board
from edgeq.verify import verify
from tests.verify.test_mutations import FAULTS, NET, expect


def test_firmware_without_a_fault_is_equal(tmp_path: Path) -> None:
    result = verify(NET, edgeq.build(NET, "host", tmp_path / "net"), random=64)
    assert result.equal
    assert result.tensors == 7


@pytest.mark.sample(3)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_host_c_is_found_and_its_layer_named(fault: str, tmp_path: Path) -> None:
    layer, faulty = FAULTS[fault]
    expect(verify(NET, edgeq.build(faulty, "host", tmp_path / "net"), random=64), layer)


def _emulated(board: str) -> bool:
    from edgeq.mcu.runners import available_runners
    from edgeq.mcu.toolchains import available_toolchains

    found = load_board(board)
    return bool(available_runners(found) and available_toolchains(found))


@pytest.mark.skipif(not _emulated("cortex-m4"), reason="no compiler or emulator for cortex-m4 here")
@pytest.mark.parametrize("fault", ["packed 4-bit weight", "table entry"])
def test_a_fault_on_an_emulated_board_is_found_and_its_layer_named(fault: str, tmp_path: Path) -> None:
    layer, faulty = FAULTS[fault]
    expect(verify(NET, edgeq.build(faulty, "cortex-m4", tmp_path / "net"), random=8), layer)


@pytest.mark.skipif(not _emulated("cortex-m4"), reason="no compiler or emulator for cortex-m4 here")
def test_one_flipped_bit_in_the_image_is_found(tmp_path: Path) -> None:
    """Not the graph but the linked firmware is damaged: one bit of the first layer's weights in the ELF file."""
    built = edgeq.build(NET, "cortex-m4", tmp_path / "net")
    assert verify(NET, built, random=2).equal  # this links the image that traces
    image = built.path / "build" / "trace.elf"
    # As the kernel wants them: the largest array of the layer.
    array = max((c for c in built.program.constants if c.layer == "stem"), key=lambda c: c.bytes)
    weights = array.data.astype(array.ctype.removesuffix("_t")).tobytes()
    content = bytearray(image.read_bytes())
    assert content.count(weights) == 1, "the weights lie in the image as the program has them"
    content[content.index(weights) + 40] ^= 0x10
    image.write_bytes(content)
    expect(verify(NET, built, random=2), "stem")
