// Output stage with multipliers: accumulators become codes.
//
// code = clamp(round(x * multiplier / 2^shift), LO, HI) + ZERO, exactly as docs/arithmetic.md, section 3.
//
// BEATS       beats
// LANES, IN_BITS, OUT_BITS  elements of a beat; width of an accumulator (two's complement) and of a code
// CHANNELS    1: one multiplier for all, MULTIPLIER and SHIFT, no table; else the last axis: each channel has its own
// MULTIPLIER, SHIFT         0..2^31 - 1 and 0..62, used with CHANNELS 1
// TABLE_ROM   kind of memory
// SHIFT_MIN, SHIFT_MAX      least and greatest shift of the table
// RULE        0 half_up, 1 half_even, 2 floor, 3 tflite (two roundings)
// LO, HI, ZERO              bounds of the grid integer and zero point
// STYLE       multipliers: EQ_DSP, EQ_LUT
// CYCLES      cycles that a beat may take: the initiation interval (EQ_DSP: 1)
// s, m        in: accumulators; out: codes
// table       CHANNELS / LANES words, each LANES times {shift[5:0], multiplier[30:0]} (only with CHANNELS > 1)
#ifndef EQ_SCALE_HPP
#define EQ_SCALE_HPP

#include "eq_round.hpp"

template <int IN_BITS, int OUT_BITS, int RULE, long long LO, long long HI, long long ZERO, int STYLE>
ap_uint<OUT_BITS> eq_scale_lane(const ap_uint<IN_BITS>& bits, const ap_int<32>& multiplier, int shift) {
#pragma HLS INLINE
    const ap_int<IN_BITS + 32> product = eq_product(ap_int<IN_BITS>(bits), multiplier, eq_choice<STYLE>());
    if (RULE != 3) return eq_code<OUT_BITS>(eq_rounded(product, shift, RULE), LO, HI, ZERO);
    // tflite: half up at 31 bits, then half away from zero.
    const int high = shift < 31 ? shift : 31;
    return eq_code<OUT_BITS>(eq_rounded(eq_rounded(product, high, 0), shift - high, 4), LO, HI, ZERO);
}

template <int BEATS, int LANES = 1, int IN_BITS = 24, int OUT_BITS = 8, int CHANNELS = 1,
          long long MULTIPLIER = 1073741824, int SHIFT = 31, int TABLE_ROM = EQ_AUTO, int SHIFT_MIN = 0,
          int SHIFT_MAX = 62, int RULE = 3, long long LO = -128, long long HI = 127, long long ZERO = 0,
          int STYLE = EQ_LUT, int CYCLES = 1>
void eq_scale(hls::stream<ap_uint<LANES * IN_BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    static_assert(CHANNELS == 1, "multipliers of channels are a table");
    constexpr int INTERVAL = STYLE == EQ_DSP || CYCLES < 1 ? 1 : CYCLES;
    (void)INTERVAL;
scale:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=INTERVAL style=flp
        const ap_uint<LANES * IN_BITS> word = s.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<IN_BITS> x = eq_get<IN_BITS>(word, lane);
            const ap_int<32> multiplier = MULTIPLIER;
            const ap_uint<OUT_BITS> code =
                eq_scale_lane<IN_BITS, OUT_BITS, RULE, LO, HI, ZERO, STYLE>(x, multiplier, SHIFT);
            eq_put<OUT_BITS>(out, lane, code);
        }
        m.write(out);
    }
}

template <int BEATS, int LANES = 1, int IN_BITS = 24, int OUT_BITS = 8, int CHANNELS = 1,
          long long MULTIPLIER = 1073741824, int SHIFT = 31, int TABLE_ROM = EQ_AUTO, int SHIFT_MIN = 0,
          int SHIFT_MAX = 62, int RULE = 3, long long LO = -128, long long HI = 127, long long ZERO = 0,
          int STYLE = EQ_LUT, int CYCLES = 1>
void eq_scale(hls::stream<ap_uint<LANES * IN_BITS>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m,
              const ap_uint<LANES * 37> table[CHANNELS / LANES]) {
    static_assert(CHANNELS % LANES == 0 && BEATS % (CHANNELS / LANES) == 0, "whole beats, whole pixels");
    constexpr int INTERVAL = STYLE == EQ_DSP || CYCLES < 1 ? 1 : CYCLES;
    (void)INTERVAL;
    eq_keep(table, eq_choice<TABLE_ROM>());
    int place = 0;
scale:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=INTERVAL style=flp
        const ap_uint<LANES * IN_BITS> word = s.read();
        const ap_uint<LANES * 37> entries = table[place];
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_uint<IN_BITS> x = eq_get<IN_BITS>(word, lane);
            const ap_uint<37> entry = eq_get<37>(entries, lane);
            const ap_int<32> multiplier = ap_uint<31>(entry);
            const int shift = ap_uint<6>(entry >> 31).to_int();
            const ap_uint<OUT_BITS> code =
                eq_scale_lane<IN_BITS, OUT_BITS, RULE, LO, HI, ZERO, STYLE>(x, multiplier, shift);
            eq_put<OUT_BITS>(out, lane, code);
        }
        m.write(out);
        eq_step(place, CHANNELS / LANES);
    }
}

#endif
