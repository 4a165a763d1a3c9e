// The exact mean of each window, rounded once.
//
// code = clamp(round(2^SHIFT * sum of (code - ZERO) / count), LO, HI) + ZERO_OUT; count: TAPS, or the taps inside
//
// BEATS                beats that go out, TAPS come in for each
// BITS, SIGNED, ZERO   width of a code that comes in, 1: two's complement, its zero point
// LANES                elements of a beat
// TAPS                 beats of a window
// COUNT_PAD            1: divide by TAPS; 0: by the taps inside
// SHIFT                binary point of the output less that of the input, may be negative
// RULE                 0 half_up, 1 half_even, 2 floor, 4 code_half_away: half away from zero, ZERO_OUT added before,
//                      5 half_down, 6 half_to_zero, 7 to_zero, 8 to odd where it divides (eq_divide)
// LO, HI, ZERO_OUT     bounds of the grid integer and zero point of the output
// OUT_BITS             width of a code that goes out
// s                    in: the taps of a window, LANES channels each; the top bit: inside (0: padding, adds nothing)
// m                    out: LANES codes
// The sums of a window are divided while those of the next one come in; with COUNT_PAD 1 and TAPS a power of two the
// division is a shift.
#ifndef EQ_AVERAGE_POOL_HPP
#define EQ_AVERAGE_POOL_HPP

#include "eq_round.hpp"

// count and sums of each window; code_half_away: each tap that counts brings the output's zero point with it.
template <int BEATS, int BITS, int SIGNED, int LANES, int TAPS, long long ZERO, int COUNT_PAD, int LEFT,
          long long ADDED, int CB, int SB>
void eq_average_sums(hls::stream<ap_uint<LANES * BITS + 1>>& s, hls::stream<ap_uint<LANES * SB + CB>>& totals) {
    ap_int<SB> sums[LANES];
#pragma HLS ARRAY_PARTITION variable=sums complete
    ap_uint<CB> count = 0;
    int tap = 0;
taps:
    for (int i = 0; i < BEATS * TAPS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * BITS + 1> word = s.read();
        const bool inside = word[LANES * BITS];
        const bool first = tap == 0;
        ap_uint<LANES * SB + CB> total = 0;
        count = (first ? ap_uint<CB>(0) : count) + ap_uint<CB>(inside || COUNT_PAD != 0 ? 1 : 0);
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<SB> grid = ap_int<SB>(eq_grid<BITS, SIGNED>(eq_get<BITS>(word, lane), ZERO)) << LEFT;
            ap_int<SB> term = inside ? grid : ap_int<SB>(0);
            if (inside || COUNT_PAD != 0) term += ap_int<SB>(ADDED);
            sums[lane] = first ? term : ap_int<SB>(sums[lane] + term);
            eq_put<SB>(total, lane, ap_uint<SB>(sums[lane]));
        }
        total.range(LANES * SB + CB - 1, LANES * SB) = count;
        if (eq_step(tap, TAPS)) totals.write(total);
    }
}

template <int BEATS, int LANES, int PLACES, int RULE, long long LO, long long HI, long long ZERO, int OUT_BITS, int CB,
          int SB>
void eq_average_shifts(hls::stream<ap_uint<LANES * SB + CB>>& totals, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
shifts:
    for (int i = 0; i < BEATS; i++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<LANES * SB + CB> total = totals.read();
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            const ap_int<SB> sum = eq_get<SB>(total, lane);
            eq_put<OUT_BITS>(out, lane, eq_code<OUT_BITS>(eq_rounded(sum, PLACES, RULE), LO, HI, ZERO));
        }
        m.write(out);
    }
}

template <int BEATS, int LANES, int RIGHT, int RULE, long long LO, long long HI, long long ZERO, int OUT_BITS, int CB,
          int SB>
void eq_average_quotients(hls::stream<ap_uint<LANES * SB + CB>>& totals, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
quotients:
    for (int i = 0; i < BEATS; i++) {
        const ap_uint<LANES * SB + CB> total = totals.read();
        ap_int<SB> num[LANES];
        ap_uint<OUT_BITS> code[LANES];
#pragma HLS ARRAY_PARTITION variable=num complete
#pragma HLS ARRAY_PARTITION variable=code complete
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            num[lane] = eq_get<SB>(total, lane);
        }
        const ap_uint<CB> den = total.range(LANES * SB + CB - 1, LANES * SB);
        eq_divide<LANES, SB, CB, 0, RIGHT, RULE, LO, HI, ZERO, OUT_BITS>(num, den, code);
        ap_uint<LANES * OUT_BITS> out = 0;
        for (int lane = 0; lane < LANES; lane++) {
#pragma HLS UNROLL
            eq_put<OUT_BITS>(out, lane, code[lane]);
        }
        m.write(out);
    }
}

// By a shift or by a division: chosen within one process, since a DATAFLOW region has no branches.
template <int BEATS, int LANES, bool POWER, int PLACES, int RIGHT, int RULE, long long LO, long long HI, long long ZERO,
          int OUT_BITS, int CB, int SB>
void eq_average_codes(hls::stream<ap_uint<LANES * SB + CB>>& totals, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
    if (POWER)
        eq_average_shifts<BEATS, LANES, PLACES + RIGHT, RULE, LO, HI, ZERO, OUT_BITS, CB, SB>(totals, m);
    else
        eq_average_quotients<BEATS, LANES, RIGHT, RULE, LO, HI, ZERO, OUT_BITS, CB, SB>(totals, m);
}

template <int BEATS, int BITS = 8, int SIGNED = 1, int LANES = 1, int TAPS = 4, long long ZERO = 0, int COUNT_PAD = 1,
          int SHIFT = 0, int RULE = 0, long long LO = -128, long long HI = 127, long long ZERO_OUT = 0,
          int OUT_BITS = 8>
void eq_average_pool(hls::stream<ap_uint<LANES * BITS + 1>>& s, hls::stream<ap_uint<LANES * OUT_BITS>>& m) {
#pragma HLS DATAFLOW
    constexpr int CB = eq_clog2(TAPS + 1);
    constexpr bool POWER = COUNT_PAD != 0 && (1 << eq_clog2(TAPS)) == TAPS;
    constexpr int LEFT = SHIFT > 0 ? SHIFT : 0, RIGHT = SHIFT < 0 ? -SHIFT : 0;
    // code_half_away: the code is rounded, zero point included.
    constexpr bool CODE = RULE == 4;
    constexpr long long ADDED = CODE ? ZERO_OUT * (1LL << RIGHT) : 0, OFFSET = CODE ? 0 : ZERO_OUT;
    constexpr long long LEAST = CODE ? LO + ZERO_OUT : LO, GREATEST = CODE ? HI + ZERO_OUT : HI;
    constexpr int SB = BITS + 2 + LEFT + (CODE ? OUT_BITS + RIGHT : 0) + CB;
    hls::stream<ap_uint<LANES * SB + CB>> totals("totals");
#pragma HLS STREAM variable=totals depth=2
    eq_average_sums<BEATS, BITS, SIGNED, LANES, TAPS, ZERO, COUNT_PAD, LEFT, ADDED, CB, SB>(s, totals);
    constexpr int PLACES = eq_clog2(TAPS);
    eq_average_codes<BEATS, LANES, POWER, PLACES, RIGHT, RULE, LEAST, GREATEST, OFFSET, OUT_BITS, CB, SB>(totals, m);
}

#endif
