/* edgeq_scale.h: the output stage of scales that are no power of two: multiplier / 2^shift, and then a zero point.
 *
 * The meaning is that of `scale` in edgeq/formats/dyadic.py, to the bit. Range analysis has proved that |v| * multiplier
 * with half a step added stays below 2^62.
 */
#ifndef EDGEQ_SCALE_H
#define EDGEQ_SCALE_H

#include "edgeq_acc.h"

/* A rule beside those of edgeq_round.h: half up at 31 bits of the shift, half away from zero for the rest. */
enum { EQ_TFLITE = 3 };

/* v / 2^s, a tie away from zero; 0 <= s <= 31 and v plus half of 2^s fits. */
EQ_INLINE int32_t eq_half_away(int32_t v, int32_t s)
{
    return s > 0 ? eq_asr32(v + (int32_t)(1u << (s - 1)) - (v < 0 ? 1 : 0), s) : v;
}

/* The same for 64 bits. */
EQ_INLINE int64_t eq_half_away64(int64_t v, int32_t s)
{
    return s > 0 ? eq_asr64(v + (int64_t)(1ull << (s - 1)) - (v < 0 ? 1 : 0), s) : v;
}

/* v * multiplier / 2^shift, 0 <= multiplier < 2^31, 0 <= shift <= 62, rounded. */
EQ_INLINE int64_t eq_scale(int64_t v, int32_t multiplier, int32_t shift, int32_t rule)
{
    const int64_t product = v * multiplier;
    if (rule != EQ_TFLITE) {
        return eq_round64(product, shift, rule);
    }
    const int32_t first = eq_min(shift, 31);
    return eq_half_away64(eq_round64(product, first, EQ_HALF_UP), shift - first);
}

/* An output stage as parameters: one multiplier and shift, or one for each channel. */
typedef struct {
    const int32_t *multiplier;
    const int8_t *shift;
    int32_t channels; /* entries of both: 1, or the channels of y */
    int32_t zero;     /* code of y that stands for zero */
    int32_t lo, hi;   /* bounds of y, as codes */
} eq_scale_t;

/* y[i] = code of a, a sum of channel c */
EQ_INLINE void eq_put_scaled(void *y, int32_t i, eq_acc a, const eq_scale_t *p, int32_t c, eq_type yt, int32_t rule,
                             bool wide)
{
    const int32_t at = p->channels == 1 ? 0 : c;
    const int64_t v = eq_scale(wide ? a.wide : a.narrow, p->multiplier[at], p->shift[at], rule) + p->zero;
    eq_store_code(y, i, (uint32_t)eq_clamp64(v, p->lo, p->hi), yt);
}

#endif
