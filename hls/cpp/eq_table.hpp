// A table of codes: any function of one variable, and the rescaling of operands.
//
// BEATS                     beats
// LANES, IN_BITS, OUT_BITS  elements of a beat, widths of a code and of an entry
// ROM                       kind of memory; each pair of lanes has its own copy
// s, m                      in: codes; out: entries
// entries                   2^IN_BITS words, addressed by the raw bits of the code
#ifndef EQ_TABLE_HPP
#define EQ_TABLE_HPP

#include "eq_types.hpp"

template <int BEATS, int LANES = 1, int IN_BITS = 8, int OUT_BITS = 8, int ROM = EQ_AUTO>
void eq_table(hls::stream<ap_uint<LANES * IN_BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m,
              const ap_uint<OUT_BITS> entries[1 << IN_BITS]) {
    eq_keep(entries, eq_choice<ROM>());
table:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * IN_BITS> word = s.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            eq_put<OUT_BITS>(out, lane, entries[eq_get<IN_BITS>(word, lane)]);
        }
        m.write(out);
    }
}

#endif
