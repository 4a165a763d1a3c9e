/* edgeq_code_stage.h: the output stage of kernels that have the sums of many channels side by side. */
#ifndef EDGEQ_CODE_STAGE_H
#define EDGEQ_CODE_STAGE_H

#include "edgeq_acc.h"

/* The output stage of all channels. */
typedef struct {
    int32_t shift;        /* binary point of the products less that of y */
    int64_t lo, hi;       /* bounds on the grid of y */
    const int8_t *shifts; /* one for each channel, or null where all are `shift` */
} eq_code_stage;

/* n channels of one pixel from o on, to y[yi] and on; sums: theirs, of 32 bits, or 64 where `wide`; quick: whether
 * eq_code64 makes the codes of those of 64, or eq_put. */
EQ_INLINE void eq_code_put(const eq_code_stage *p, const void *sums, void *y, int32_t yi, int32_t o, int32_t n,
                           eq_type yt, int32_t rule, bool wide, bool quick)
{
    const int8_t *shifts = p->shifts;
    const int32_t least = quick ? eq_code_key(p->lo, yt) : 0, most = quick ? eq_code_key(p->hi, yt) : 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t shift = eq_channel_shift(shifts, p->shift, o + i);
        if (wide && quick) {
            ((eq_u8 *)y)[yi + i] = eq_code64(((const eq_i64 *)sums)[i], shift, least, most, rule, yt);
        } else {
            eq_put(y, yi + i, eq_acc_start(sums, i, wide), shift, p->lo, p->hi, yt, rule, wide);
        }
    }
}

#endif
