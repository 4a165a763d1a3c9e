"""The AXI-Stream border in C++: codes through packets and back, batches, short packets, the vendor's own type."""

from __future__ import annotations

import subprocess
from math import gcd
from pathlib import Path

import pytest

from edgeq.fpga import lower
from edgeq.fpga.simulate import call
from edgeq.hls.render import write
from edgeq.hls.simulate import find_compiler, find_headers
from edgeq.resources import resource_dir
from tests.fpga.networks import digits
from tests.hls_project.tools import needs_csim

pytestmark = needs_csim
#: width, bits, lanes, beats, signed: containers that fill a beat and that do not, steps of one and of several codes
CASES = [(32, 8, 1, 7, 0), (32, 5, 6, 3, 1), (64, 16, 4, 5, 1), (128, 8, 8, 3, 0), (32, 32, 2, 3, 1), (64, 12, 1, 1, 1)]

PROGRAM = """
#include "eq_bench.hpp"

template <int WIDTH, int CONTAINER, int BITS, int LANES, int BEATS, int STEP, int SIGNED>
int border(const char *name) {
    const int count = LANES * BEATS;
    hls::stream<eq_axis<WIDTH> > in("in"), out("out");
    hls::stream<ap_uint<BITS * LANES> > codes("codes");
    hls::stream<ap_uint<1> > ended("ended");
    eq_codes sent, found;
    bool fine = true;
    for (int i = 0; i < 3 * count; ++i) {
        const long long raw = (i * 2654435761LL + 12345) & ((1LL << BITS) - 1);
        sent.push_back(SIGNED && raw >> (BITS - 1) ? raw - (1LL << BITS) : raw);
    }
    for (int k = 0; k < 3; ++k) {  // a batch of two, and one of one
        eq_send<WIDTH, CONTAINER>(&sent[k * count], count, k != 0, in);
        eq_axis_in<WIDTH, CONTAINER, BITS, LANES, BEATS, STEP>(in, codes, ended);
        eq_axis_out<WIDTH, CONTAINER, BITS, LANES, BEATS, STEP, SIGNED>(codes, ended, out);
        fine = fine && eq_take<WIDTH, CONTAINER>(count, SIGNED, k != 0, out, found);
    }
    int wrong = eq_compare(name, found, sent) + !fine + !in.empty() + !out.empty();

    // A packet of one beat: what it does not bring is 0, and the answer has its full length.
    eq_send<WIDTH, CONTAINER>(&sent[0], 1, true, in);
    eq_axis_in<WIDTH, CONTAINER, BITS, LANES, BEATS, STEP>(in, codes, ended);
    eq_axis_out<WIDTH, CONTAINER, BITS, LANES, BEATS, STEP, SIGNED>(codes, ended, out);
    eq_codes shorter, wanted(count, 0);
    wanted[0] = sent[0];
    wrong += !eq_take<WIDTH, CONTAINER>(count, SIGNED, true, out, shorter) + eq_compare(name, shorter, wanted);

    // A mark at the wrong place is seen.
    eq_send<WIDTH, CONTAINER>(&sent[0], count, true, in);
    wrong += eq_take<WIDTH, CONTAINER>(count, SIGNED, false, in, found);
    if (wrong)
        std::printf("%s: wrong\\n", name);
    return wrong;
}

int main() {
    return (CALLS) != 0;
}
"""


def test_codes_come_back(tmp_path: Path) -> None:
    calls = []
    for width, bits, lanes, beats, signed in CASES:
        container = next(c for c in (8, 16, 32) if bits <= c)
        step = gcd(lanes, width // container)
        arguments = ", ".join(map(str, (width, container, bits, lanes, beats, step, signed)))
        calls.append(f'border<{arguments}>("{arguments}")')
    (tmp_path / "border.cpp").write_text(PROGRAM.replace("CALLS", " + ".join(calls)), "utf-8")
    include = resource_dir("templates") / "hls"
    options = f"-std=c++14 -O0 -Wall -Wno-unknown-pragmas -isystem {find_headers()} -I{include} -o border border.cpp"
    call([*find_compiler(), *options.split()], tmp_path, "build.log")
    assert "warning" not in (tmp_path / "build.log").read_text("utf-8")
    done = subprocess.run([str(tmp_path / "border")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


#: what the vendor's header promises, as far as the border uses it
VENDOR = """
#include <ap_int.h>
template <std::size_t W, std::size_t USER, std::size_t ID, std::size_t DEST> struct ap_axiu {
    ap_uint<W> data;
    ap_uint<(W + 7) / 8> keep, strb;
    ap_uint<1> last;
};
"""


@pytest.mark.heavy
def test_the_core_compiles_with_the_vendors_type(tmp_path: Path) -> None:
    flow = lower(digits(), dsps=24)
    write(flow, tmp_path, 64)
    (tmp_path / "ap_axi_sdata.h").write_text(VENDOR, "ascii")
    options = f"-std=c++14 -O0 -w -fsyntax-only -I. -I{find_headers()} {flow.name}_core.cpp"
    call([*find_compiler(), *options.split()], tmp_path, "build.log")
