// An image resampled between rows and columns, exact sums; an output stage follows.
//
// m[y][x][c] = BIAS + sum over i < ROW_TAPS, j < COLUMN_TAPS of
//              (s[row i of y][column j of x][c] - ZERO) * weights of both
//
// BEATS                OH * OW * C
// BITS, SIGNED, ZERO   width of a code that comes in, 1: two's complement, its zero point
// IN_BEATS             elements of the image that comes in
// C, OH, OW            channels; rows and columns of the image that goes out
// ROW_TAPS, ROW_FRAC   rows that an output row lies between, 1 or 2; bits behind the point of their weights
// COLUMN_TAPS, COLUMN_FRAC   the same of columns. Weights of an output row, or column, are 0 or more and add up to one
// BIAS, OUT_BITS       added to each sum; width of a sum, two's complement
// s, m                 in: an image, row-major, channels last; out: sums
// rows                 OH * ROW_TAPS words {weight, address}: ROW_FRAC + 1 bits, and as many as IN_BEATS - 1 needs;
//                      address: of the row's first element
// columns              OW * COLUMN_TAPS words, the same; address: of the column's first element within a row
// One tap a cycle; the buffer is doubled (DATAFLOW): one image comes in while the one before is read.
#ifndef EQ_RESIZE_BILINEAR_HPP
#define EQ_RESIZE_BILINEAR_HPP

#include "eq_types.hpp"

template <int BEATS, int BITS, int SIGNED, long long ZERO, int IN_BEATS, int C, int OH, int OW, int ROW_TAPS,
          int ROW_FRAC, int COLUMN_TAPS, int COLUMN_FRAC, long long BIAS, int OUT_BITS>
void eq_resize_give(const ap_uint<BITS> frame[IN_BEATS], hls::stream<ap_uint<OUT_BITS>>& m,
                    const ap_uint<ROW_FRAC + 1 + eq_address_bits(IN_BEATS)> rows[OH * ROW_TAPS],
                    const ap_uint<COLUMN_FRAC + 1 + eq_address_bits(IN_BEATS)> columns[OW * COLUMN_TAPS]) {
    // A code less its zero point; a mean of two columns; a mean of two rows of those: weights of a mean add up to one.
    constexpr int AB = eq_address_bits(IN_BEATS), MEAN = BITS + 2 + COLUMN_FRAC, SUM = MEAN + ROW_FRAC;
    ap_int<MEAN> mean = 0;
    ap_int<SUM> sum = 0;
    int j = 0, i = 0, c = 0, x = 0, y = 0;
taps:
    for (int tap = 0; tap < BEATS * ROW_TAPS * COLUMN_TAPS; tap++) {
#pragma HLS PIPELINE II=1 style=flp
        const ap_uint<ROW_FRAC + 1 + AB> row = rows[y * ROW_TAPS + i];
        const ap_uint<COLUMN_FRAC + 1 + AB> column = columns[x * COLUMN_TAPS + j];
        const int address = ap_uint<AB>(row).to_int() + ap_uint<AB>(column).to_int() + c;
        const ap_int<BITS + 2> grid = eq_grid<BITS, SIGNED>(frame[address], ZERO);
        const ap_int<COLUMN_FRAC + 2> column_weight = ap_uint<COLUMN_FRAC + 1>(column >> AB);
        const ap_int<ROW_FRAC + 2> row_weight = ap_uint<ROW_FRAC + 1>(row >> AB);
        mean = (j == 0 ? ap_int<MEAN>(0) : mean) + grid * column_weight;
        if (eq_step(j, COLUMN_TAPS)) {
            sum = (i == 0 ? ap_int<SUM>(0) : sum) + mean * row_weight;
            if (eq_step(i, ROW_TAPS)) {
                m.write(ap_uint<OUT_BITS>(ap_int<OUT_BITS>(sum) + ap_int<OUT_BITS>(BIAS)));
                if (eq_step(c, C) && eq_step(x, OW)) eq_step(y, OH);
            }
        }
    }
}

template <int BEATS, int BITS = 8, int SIGNED = 1, long long ZERO = 0, int IN_BEATS = 4, int C = 1, int OH = 2,
          int OW = 2, int ROW_TAPS = 2, int ROW_FRAC = 1, int COLUMN_TAPS = 2, int COLUMN_FRAC = 1, long long BIAS = 0,
          int OUT_BITS = 16>
void eq_resize_bilinear(hls::stream<ap_uint<BITS>>& s, hls::stream<ap_uint<OUT_BITS>>& m,
                        const ap_uint<ROW_FRAC + 1 + eq_address_bits(IN_BEATS)> rows[OH * ROW_TAPS],
                        const ap_uint<COLUMN_FRAC + 1 + eq_address_bits(IN_BEATS)> columns[OW * COLUMN_TAPS]) {
#pragma HLS DATAFLOW
    static_assert(BEATS == OH * OW * C, "an image an inference");
    ap_uint<BITS> frame[IN_BEATS];
    eq_load<IN_BEATS>(s, frame);
    eq_resize_give<BEATS, BITS, SIGNED, ZERO, IN_BEATS, C, OH, OW, ROW_TAPS, ROW_FRAC, COLUMN_TAPS, COLUMN_FRAC, BIAS,
                   OUT_BITS>(frame, m, rows, columns);
}

#endif
