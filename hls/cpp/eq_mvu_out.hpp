// Output of the engines: PE results at once become beats of LANES and get their bias. Not a stage.
//
// BEATS           beats that go out
// PE, MH          results of a fold, rows of the matrix; a ragged last fold ends with the last row
// ACC_BITS        width of a result
// LANES           results of a beat; divides PE and MH
// BIAS_ROM        kind of memory
// rows, m         in: PE results of each fold; out: beats
// bias            MH / LANES words: LANES biases each
#ifndef EQ_MVU_OUT_HPP
#define EQ_MVU_OUT_HPP

#include "eq_types.hpp"

template <int BEATS, int PE, int MH, int ACC_BITS, int LANES, int BIAS_ROM>
void eq_mvu_out(hls::stream<ap_uint<PE * ACC_BITS>>& rows, hls::stream<ap_uint<LANES * ACC_BITS>>& m,
                const ap_uint<LANES * ACC_BITS> bias[MH / LANES]) {
    static_assert(PE % LANES == 0 && MH % LANES == 0 && BEATS % (MH / LANES) == 0, "whole beats, whole vectors");
    eq_keep(bias, eq_choice<BIAS_ROM>());
    ap_uint<PE * ACC_BITS> row = 0;
    int part = 0, channel = 0;
results:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        if (part == 0) row = rows.read();
        const ap_uint<LANES * ACC_BITS> start = bias[channel];
        ap_uint<LANES * ACC_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            eq_put<ACC_BITS>(out, lane, ap_uint<ACC_BITS>(eq_get<ACC_BITS>(row, lane) + eq_get<ACC_BITS>(start, lane)));
        }
        m.write(out);
        row >>= LANES * ACC_BITS;
        const bool fold_ends = eq_step(part, PE / LANES);
        if (eq_step(channel, MH / LANES) && !fold_ends) part = 0;
    }
}

#endif
