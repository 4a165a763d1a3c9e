/* edgeq_mve_pixels.h: a row of pixels times all output channels, two pixels by four channels at a time, with Helium. */
#ifndef EDGEQ_MVE_PIXELS_H
#define EDGEQ_MVE_PIXELS_H

#include "edgeq_mve_scaled.h"

typedef struct {
    int32_t out_c, groups; /* channels; groups of 16 elements of a window */
    int32_t zero, lo, hi;  /* of a code of y */
    const uint32_t *stream; /* blocks of four channels, as edgeq_mve_scaled.h says */
    const uint8_t *map;     /* codes of sums that are looked up, else null */
} eq_mve_layer_t;

/* The channels after the last whole block of four, for pixels whose outputs begin at y. */
EQ_INLINE void eq_mve_last_channels(const eq_mve_layer_t *p, eq_mve_pairs_t job, uint8_t *y, int32_t count,
                                    int32_t step, int32_t rule)
{
    const int32_t rest = p->out_c % 4;
    const uint8_t *x = job.x0;
    uint8_t *to = y + p->out_c - rest, last[8];
    job.w = job.w_end;
    job.w_end += 64 * p->groups + 36;
    job.y_step = 0;
    for (int32_t i = 0; i < count; i += 2) {
        const bool two = i + 1 < count;
        job.x0 = x + i * step;
        job.x1 = two ? job.x0 + step : job.x0;
        job.y0 = last;
        job.y1 = last + 4;
        job.pairs = 1;
        eq_mve_pairs(&job, rule);
        for (int32_t k = 0; k < rest; k++) {
            to[i * p->out_c + k] = last[k];
            if (two) {
                to[(i + 1) * p->out_c + k] = last[4 + k];
            }
        }
    }
}

/* The outputs of `count` pixels whose windows begin at x, `step` bytes apart. */
EQ_INLINE void eq_mve_pixels(const eq_mve_layer_t *p, const uint8_t *x, int32_t step, uint8_t *y, int32_t count,
                             int32_t rule)
{
    const int32_t out_c = p->out_c, fours = out_c / 4, groups = p->groups;
    const uint8_t *stream = (const uint8_t *)p->stream, *end = stream + fours * (64 * groups + 36);
    eq_mve_pairs_t job = {x, x + step, y, y + out_c, stream, end, eq_mve_rounds(groups), 0,
                          p->zero, p->lo, p->hi, count / 2, 2 * step, 2 * out_c - 4 * fours,
                          eq_mve_skip(groups, 56), groups, p->map};
    if (out_c % 4 != 0) {
        eq_mve_last_channels(p, job, y, count, step, rule);
    }
    if (fours == 0) {
        return;
    }
    if (count > 1) {
        eq_mve_pairs(&job, rule);
    }
    if (count % 2 != 0) {
        /* A pixel alone is computed twice. */
        job.x0 = job.x1 = x + (count - 1) * step;
        job.y0 = job.y1 = y + (count - 1) * out_c;
        job.pairs = 1;
        eq_mve_pairs(&job, rule);
    }
}

#endif
