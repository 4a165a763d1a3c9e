// Width converter: regroups a stream of IN elements a beat into OUT elements a beat, in the same order.
//
// BEATS    beats that go out
// BITS     bits of an element
// IN, OUT  elements of an input and of an output beat; one divides the other
// s, m     in, out: the first element in the low bits
#ifndef EQ_LANES_HPP
#define EQ_LANES_HPP

#include "eq_types.hpp"

template <int BEATS, int BITS = 8, int IN = 1, int OUT = 4>
void eq_lanes(hls::stream<ap_uint<IN * BITS>>& s, hls::stream<ap_uint<OUT * BITS>>& m) {
    constexpr int WIDE = eq_greater(IN, OUT) * BITS;
    constexpr int PARTS = OUT >= IN ? OUT / IN : IN / OUT;
    static_assert(OUT >= IN ? OUT % IN == 0 : IN % OUT == 0, "one number of lanes divides the other");
    static_assert(OUT >= IN || BEATS % PARTS == 0, "whole beats come in");
    ap_uint<WIDE> word = 0;
    int part = 0;
lanes:
    for (int i = 0; i < (OUT >= IN ? BEATS * PARTS : BEATS); i++) {
#pragma HLS PIPELINE II=1 style=flp
        if (OUT >= IN) {
            word >>= IN * BITS;
            word.range(WIDE - 1, WIDE - IN * BITS) = s.read();
            if (eq_step(part, PARTS)) m.write(word);
        } else {
            if (part == 0) word = s.read();
            m.write(ap_uint<OUT * BITS>(word));
            word >>= OUT * BITS;
            eq_step(part, PARTS);
        }
    }
}

#endif
