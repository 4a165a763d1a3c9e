"""What a dataflow will need, before any tool runs: LUTs, flip-flops, DSPs, block RAMs and cycles of each stage.

Multipliers, block RAMs and cycles follow from the stages' parameters. LUTs and flip-flops are linear in a few features
of a stage (`features`), with coefficients for each module and family that `benchmarks/fpga_estimate.py --fit` takes
from real synthesis and writes to `costs.json`; their error is recorded beside the other figures.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import ceil, log2
from pathlib import Path

from edgeq.boards import Board
from edgeq.errors import BudgetError
from edgeq.fpga.dataflow import Dataflow, Rom, Stage
from edgeq.fpga.khot import unpacked_places
from edgeq.fpga.ops._join import OPERATIONS
from edgeq.fpga.styles import DIGIT, FFS, INVERSION, LUTS, PAIR_BITS
from edgeq.fpga.toolchain.families import device_of
from edgeq.fpga.toolchain.netlist import Usage

#: shapes of one block RAM: (width, depth)
_SHAPES = {
    "ecp5": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
    "ice40": ((16, 256), (8, 512), (4, 1024), (2, 2048)),
    "gowin": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
    "xilinx": ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
}
#: What yosys weighs where it places a ROM itself: a block RAM costs so much, a bit in logic a sixteenth (AMD's, with
#: look-up tables of 64 bits: 129 and a sixty-fourth).
_BLOCK_COST = {"ecp5": 128, "ice40": 64, "gowin": 128, "xilinx": 4 * 129}
#: memories of up to so many words are not kept in block RAM (hls/rtl/eq_ram.v, eq_fifo.v)
_FEW_WORDS = 32
#: what the UART border, reset and PLL need beside the network, whatever that is
BORDER_USAGE = Usage(luts=600, ffs=260)
#: an estimate of LUTs or flip-flops may be so far below the truth; only above it a build is refused before synthesis
TRUST = 1.5

Features = dict[str, float]
#: eq_shift that makes minifloats: it has costs of its own
MINIFLOAT_STAGE = "eq_shift to minifloats"


def estimate(flow: Dataflow, board: Board) -> dict[str, Usage]:
    """Stage -> what it will need on the board, and the border under "".

    Of a board for high-level synthesis: what the Verilog twins need on AMD's devices; the border is the processor's.
    """
    if board.hls is not None:
        return {stage.name: stage_usage(flow, as_cpp(stage), "xilinx") for stage in flow.stages}
    family = device_of(board).family
    parts = {stage.name: stage_usage(flow, stage, family) for stage in flow.stages}
    first = flow.streams[flow.inputs[0]]
    buffer = block_rams(first.bits, first.beats * first.lanes, family)
    return {**parts, "": BORDER_USAGE + Usage(brams=buffer)}


def as_cpp(stage: Stage) -> Stage:
    """The stage as its C++ twin makes it: with whole multipliers, where the Verilog shares adders over cycles."""
    return replace(stage, params={**stage.params, "CYCLES": 1}) if stage.module == "eq_scale" else stage


def stage_usage(flow: Dataflow, stage: Stage, family: str) -> Usage:
    """What one stage will need."""
    known = costs().get(family) or costs().get("ecp5", {})  # another family's are better than none
    costs_of = known.get(cost_key(stage)) or known.get("other", {"luts": {}, "ffs": {}})
    found = features(flow, stage)
    luts, ffs = (sum(costs_of[key].get(name, 0.0) * x for name, x in found.items()) for key in ("luts", "ffs"))
    if not {"logic", "planes"} & costs_of["luts"].keys():  # fitted to no engine in logic: what its adders come to
        luts += LUTS[family].logic * found.get("logic", 0.0) + LUTS[family].planes * found.get("planes", 0.0)
        ffs += FFS.logic * found.get("logic", 0.0) + FFS.planes * found.get("planes", 0.0)
    if "shifters" not in costs_of["luts"]:  # nor to one of digits
        luts += found.get("shifters", 0.0) + found.get("digits_added", 0.0)
        luts += INVERSION[family] * found.get("digits_inverted", 0.0)
        ffs += found.get("shifter_ffs", 0.0) + found.get("digits_added", 0.0)
    if stage.module == "eq_mvc" and "eq_mvc" not in known:
        luts += DIGIT * found["adders"]
        ffs += found["adders"] + found["sums"]
    rams = sum(block_rams(width, words, family) for width, words in memories(stage, family))
    return Usage(max(0, round(luts)), max(0, round(ffs)), stage_dsps(stage, family), rams)


def cost_key(stage: Stage) -> str:
    """What a stage's costs stand under."""
    to_minifloats = stage.module == "eq_shift" and _number(stage, "EXPONENT", 0) != 0
    return MINIFLOAT_STAGE if to_minifloats else stage.module


@functools.cache
def costs() -> Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]:
    """family -> module (or "other") -> "luts" or "ffs" -> feature -> cost of one."""
    found: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]
    found = json.loads(Path(__file__).with_name("costs.json").read_text("utf-8"))
    return found


def features(flow: Dataflow, stage: Stage) -> Features:
    """The numbers that a stage's cost is linear in: one for being there, its widths, and what its module adds."""
    width = sum(flow.streams[name].width for name in (*stage.sources(), *stage.sinks()))
    found = {"one": 1.0, "width": float(width)}
    more = _MORE.get(cost_key(stage))
    return found | more(stage) if more else found


def _number(stage: Stage, key: str, default: int = 1) -> int:
    value = stage.params.get(key, default)
    return value if isinstance(value, int) else default


def _window(stage: Stage) -> Features:
    sizes = [_number(stage, key) for key in ("H", "W", "C", "KH", "KW", "OH", "OW", "REPEAT")]
    return {"counters": sum(log2(size + 1) for size in sizes)}


def _mvu(stage: Stage) -> Features:
    pe, simd = _number(stage, "PE"), _number(stage, "SIMD")
    blocks = pe * simd if stage.params.get("STYLE") == "dsp" else 0
    small = sum(rom.bits for rom in _roms(stage) if _style(stage, rom, "ecp5") == "logic")
    return {
        "sums": float(pe * (_number(stage, "ACC_BITS", 24))),
        "products": float(blocks),
        "tree": float(max(blocks - pe, 0) * _number(stage, "X_BITS", 8)),
        **_logic(stage, pe * simd),
        **_khot(stage, pe, simd),
        "rom": float(small),
        "counters": log2(_number(stage, "DEPTH") + 1) + log2(_number(stage, "MH") + 1),
    }


def _logic(stage: Stage, products: int) -> Features:
    """Products that are made in logic, as `edgeq.fpga.styles.Logic` weighs them."""
    if stage.params.get("STYLE") != "lut":
        return {"logic": 0.0, "planes": 0.0}
    planes = products * _number(stage, "W_BITS", 8)
    return {"logic": float(planes * _number(stage, "X_BITS", 8)), "planes": float(planes)}


def _khot(stage: Stage, rows: int, columns: int) -> Features:
    """Products of digits: shifters, and the adders of `rows` sums."""
    if stage.params.get("STYLE") != "khot":
        return {}
    count, x_bits = _number(stage, "TERMS"), _number(stage, "X_BITS", 8) + 1 - _number(stage, "X_SIGNED")
    places = unpacked_places(_number(stage, "PLACES"), count)
    bits = [place.term_bits(x_bits) for place in places]
    joined = (count - 1) * _number(stage, "ACC_BITS", 24)
    return {
        "shifters": float(rows * columns * sum(place.luts(x_bits) for place in places)),
        "shifter_ffs": float(rows * columns * sum(place.ffs(x_bits) for place in places)),
        "digits_inverted": float(rows * columns * sum(bits)),
        "digits_added": float(rows * ((columns - 1) * sum(b + 1 for b in bits) + joined)),
    }


def _mvc(stage: Stage) -> Features:
    rows, bits = _number(stage, "MH"), _number(stage, "ACC_BITS", 20)
    fields, used = _number(stage, "DIGITS", 0), 0
    while fields:
        used += fields >> 23 & 1
        fields >>= 24
    return {"adders": float(max(used - rows, 0) * bits), "sums": float(rows * bits)}


def _depthwise(stage: Stage) -> Features:
    lanes = _number(stage, "LANES")
    small = sum(rom.bits for rom in _roms(stage) if _style(stage, rom, "ecp5") == "logic")
    return {
        "sums": float(lanes * _number(stage, "ACC_BITS", 24)),
        **_logic(stage, lanes),
        **_khot(stage, lanes, 1),
        "rom": float(small),
    }


def _scale(stage: Stage) -> Features:
    lanes, cycles = _number(stage, "LANES"), _number(stage, "CYCLES")
    steps = 17 if cycles >= 17 else 9 if cycles >= 9 else 5 if cycles >= 5 else 1
    small = sum(rom.bits for rom in _roms(stage) if _style(stage, rom, "ecp5") == "logic")
    return {"digits": lanes * 16 / steps, "bits": float(lanes * _number(stage, "IN_BITS", 24)), "rom": float(small)}


def _decode(stage: Stage) -> Features:
    """Shifters: a bit of the result for each bit of the exponent."""
    bits = _number(stage, "LANES") * _number(stage, "OUT_BITS", 5)
    return {"bits": float(bits), "shifter": float(bits * _number(stage, "EXPONENT", 2))}


def _to_minifloat(stage: Stage) -> Features:
    """The search for the leading one, half of the bits after each step; then a shifter of all steps and channels."""
    lanes, bits = _number(stage, "LANES"), _number(stage, "IN_BITS", 24)
    spread = _number(stage, "SHIFT_MAX", 0) - _number(stage, "SHIFT_MIN", 0) + _number(stage, "STEP_MAX", 0)
    return {
        "bits": float(lanes * bits),
        "search": float(lanes * bits * ceil(log2(bits + 1))),
        "shifter": float(lanes * bits * ceil(log2(spread + 1))),
        "lanes": float(lanes),
        **_table(stage),
    }


def _fifo(stage: Stage) -> Features:
    depth, width = _number(stage, "DEPTH", 2), _number(stage, "WIDTH", 8)
    return {"ram": float(width * ceil(depth / 16)) if 2 < depth <= _FEW_WORDS else 0.0, "depth": log2(depth)}


def _table(stage: Stage) -> Features:
    return {"rom": float(sum(rom.bits for rom in _roms(stage) if _style(stage, rom, "ecp5") == "logic"))}


_MORE: dict[str, Callable[[Stage], Features]] = {
    "eq_window": _window,
    "eq_mvu": _mvu,
    "eq_depthwise": _depthwise,
    "eq_mvc": _mvc,
    "eq_scale": _scale,
    "eq_shift": _table,
    "eq_decode": _decode,
    MINIFLOAT_STAGE: _to_minifloat,
    "eq_fifo": _fifo,
    "eq_table": _table,
    "eq_constant": _table,
    "eq_move": _table,
}


#: modules whose products are always `*`: how many
_PRODUCTS: dict[str, Callable[[Stage], int]] = {
    "eq_resize_bilinear": lambda s: sum(_number(s, f"{axis}_TAPS") == 2 for axis in ("ROW", "COLUMN")),
    "eq_sigmoid_lines": lambda s: 1,
    "eq_softmax_lines": lambda s: 3,
}


def stage_dsps(stage: Stage, family: str) -> int:
    """Multipliers that a stage takes."""
    if stage.module == "eq_add":
        return _joined_products(stage, family) if _number(stage, "OP") == OPERATIONS["mul"] else 0
    if stage.module in _PRODUCTS:
        return _PRODUCTS[stage.module](stage)
    if stage.params.get("STYLE") != "dsp":
        return 0
    if stage.module == "eq_matmul":
        return _number(stage, "LANES") * _wide_product(_number(stage, "BITS_A", 8), _number(stage, "BITS_B", 8), family)
    if stage.module in ("eq_mvu", "eq_depthwise"):
        rows = _number(stage, "PE") if stage.module == "eq_mvu" else 1
        columns = _number(stage, "SIMD") if stage.module == "eq_mvu" else _number(stage, "LANES")
        bits = (_number(stage, "X_BITS", 8) + 1 - _number(stage, "X_SIGNED", 1), _number(stage, "W_BITS", 8))
        wide = max(bits) > 9
        narrow = max(_number(stage, "X_BITS", 8), _number(stage, "W_BITS", 8)) <= PAIR_BITS
        if family == "ice40" and stage.module == "eq_mvu" and narrow:
            return rows * ceil(columns / 2)  # an SB_MAC16 makes two products (hls/rtl/eq_mul_pair.v)
        return rows * columns * _wide_product(*bits, family) * (2 if wide and family == "gowin" else 1)
    return 0


#: widths of a block's operands; of the pieces that yosys cuts off wider ones; of the narrowest product of two pieces
#: that gets a block
_BLOCKS = {"ecp5": (18, 18, 18, 9), "gowin": (18, 18, 18, 9), "ice40": (16, 16, 16, 11), "xilinx": (25, 18, 17, 9)}


def _wide_product(a: int, b: int, family: str) -> int:
    """Blocks of one product: operands that are too wide for one are cut, and what is left over is made in logic."""
    most_a, most_b, piece, least = _BLOCKS[family]
    pairs = [(x, y) for x in _pieces(max(a, b), most_a, piece) for y in _pieces(min(a, b), most_b, piece)]
    return max(1, sum(min(pair) > 1 and sum(pair) >= least for pair in pairs))


def _pieces(bits: int, most: int, piece: int) -> list[int]:
    """Widths of what an operand is cut into."""
    return [bits] if bits <= most else [piece, *_pieces(bits - piece, most, piece)]


def _joined_products(stage: Stage, family: str) -> int:
    """Multipliers of a product of two streams: yosys makes narrow ones in logic, but not on ECP5."""
    bits = (_number(stage, "BITS_A", 8), _number(stage, "BITS_B", 8))
    if (family == "ice40" and sum(bits) < 11) or (family == "gowin" and min(bits) < 4):
        return 0
    return _number(stage, "LANES") * _wide_product(*bits, family) * (2 if family == "gowin" and max(bits) > 9 else 1)


def _roms(stage: Stage) -> Iterable[Rom]:
    return (value for value in stage.params.values() if isinstance(value, Rom))


def _style(stage: Stage, rom: Rom, family: str) -> str:
    """Where a ROM of a stage goes: "block" or "logic"."""
    key = next(key for key, value in stage.params.items() if value is rom)
    asked = stage.params.get({"WEIGHTS": "WEIGHT_ROM", "BIAS": "BIAS_ROM"}.get(key, "ROM"))
    if key == "BIAS" and asked is None:
        return "logic"
    if asked in ("block", "distributed"):
        return "block" if asked == "block" else "logic"
    blocks = block_rams(rom.width, len(rom.words), family)
    return "block" if rom.bits / 16 > _BLOCK_COST[family] * blocks else "logic"


def memories(stage: Stage, family: str) -> list[tuple[int, int]]:
    """Width and words of what a stage keeps in block RAM."""
    copies = _number(stage, "LANES") if stage.module == "eq_table" else 1
    found = [(r.width, len(r.words)) for r in _roms(stage) if _style(stage, r, family) == "block"] * copies
    if stage.module == "eq_window":
        words = _number(stage, "ROWS") * _number(stage, "W") * _number(stage, "C") // _number(stage, "LANES")
        if words > _FEW_WORDS:
            found.append((_number(stage, "BITS") * _number(stage, "LANES"), words))
    if stage.module == "eq_fifo" and _number(stage, "DEPTH", 2) > _FEW_WORDS:
        found.append((_number(stage, "WIDTH", 8), _number(stage, "DEPTH", 2)))
    if stage.module in ("eq_move", "eq_resize_bilinear"):
        found.append((_number(stage, "BITS", 8), 2 << ceil(log2(_number(stage, "IN_BEATS", 2)))))
    return found


def block_rams(width: int, words: int, family: str) -> int:
    """Block RAMs of a memory: the best of the shapes that one of them can have."""
    return min(ceil(width / w) * ceil(words / d) for w, d in _SHAPES[family])


def cycles_by_layer(flow: Dataflow) -> dict[str, int]:
    """Node -> cycles of its slowest stage."""
    found: dict[str, int] = {}
    for stage in flow.stages:
        found[stage.node] = max(found.get(stage.node, 0), stage.cycles)
    return found


def refuse_what_cannot_fit(
    board: Board, parts: Mapping[str, Usage], labels: Mapping[str, str], trust: float = TRUST
) -> None:
    """BudgetError for a network that is certainly too large; labels: stage -> layer.

    Block RAMs and DSPs follow from the parameters, so an estimate above the device is refused; LUTs only where the
    estimate is above `trust` times what there is.
    """
    fpga = board.hls or device_of(board)
    layers: dict[str, Usage] = {}
    for part, used in parts.items():
        label = labels.get(part, "the border")
        layers[label] = layers.get(label, Usage()) + used
    total = sum(layers.values(), Usage()).to_json()
    limits = {"brams": (fpga.brams, 1.0), "dsps": (fpga.dsps, 1.0), "luts": (fpga.luts, trust)}
    for key, (has, slack) in limits.items():
        if total[key] > has * slack:
            raise BudgetError(_too_large(board, key, has, total[key], layers))


def _too_large(board: Board, key: str, has: int, total: int, layers: Mapping[str, Usage]) -> str:
    what = {"brams": "block RAMs", "dsps": "DSPs", "luts": "LUTs"}[key]
    most = max(layers, key=lambda name: layers[name].to_json()[key])
    share = layers[most].to_json()[key]
    way = {
        "brams": f"weights and buffers must shrink by {total - has:,} block RAMs in all: fewer bits, fewer channels, "
        "fewer inferences a second (wide engines have wide memories), or a larger board",
        "dsps": "ask for fewer multipliers (--dsps), products in logic (--style lut; with --target and no --style only "
        "where blocks are short), or a larger board",
        "luts": "ask for fewer inferences a second (--target), fewer multipliers (--dsps), fewer bits, or a "
        "larger board",
    }[key]
    return f"board {board.name}: about {total:,} {what} are needed, it has {has:,}; {most} needs most, {share:,}; {way}"
