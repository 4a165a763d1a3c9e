// The greatest code of each window.
//
// BEATS        beats that go out, TAPS come in for each
// BITS, LANES  width of a code, elements of a beat
// SIGNED       0 unsigned, 1 two's complement, 2 sign and magnitude (minifloats; negative zero becomes zero)
// TAPS         beats of a window
// s            in: the taps of a window, LANES channels each; the top bit: inside. Padding never wins; at least one
//              tap of each window is inside
// m            out: LANES codes
#ifndef EQ_MAX_POOL_HPP
#define EQ_MAX_POOL_HPP

#include "eq_order.hpp"

template <int BEATS, int BITS = 8, int SIGNED = 1, int LANES = 1, int TAPS = 4>
void eq_max_pool(hls::stream<ap_uint<LANES * BITS + 1>>& s, hls::stream<ap_uint<LANES * BITS>>& m) {
    ap_uint<BITS> best[LANES];
#pragma HLS ARRAY_PARTITION variable=best complete
    int tap = 0;
    bool seen = false;                          // a tap of this window was inside
taps:
    for (int i = 0; i < BEATS * TAPS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * BITS + 1> word = s.read();
        const bool inside = word[LANES * BITS];
        ap_uint<LANES * BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<BITS> order = eq_order<BITS, SIGNED>(eq_get<BITS>(word, lane));
            if (inside && (!seen || order > best[lane])) best[lane] = order;
            eq_put<BITS>(out, lane, eq_unordered<BITS, SIGNED>(best[lane]));
        }
        seen = seen || inside;
        if (eq_step(tap, TAPS)) {
            m.write(out);
            seen = false;
        }
    }
}

#endif
