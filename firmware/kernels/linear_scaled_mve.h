/* linear_scaled_mve.h: one vector of bytes times constant weights with scales, eight outputs at a time, with Helium. */
#ifndef EDGEQ_KERNEL_LINEAR_SCALED_MVE_H
#define EDGEQ_KERNEL_LINEAR_SCALED_MVE_H

#include "edgeq_mve_scaled.h"

typedef struct {
    int32_t inputs, outputs, groups; /* groups of 16 inputs */
    int32_t bytes;                   /* of a block of the stream */
    int32_t multiplier, shift;       /* where all outputs have one; the shift as in the stream */
    int32_t zero, lo, hi;            /* of a code of y */
    const uint32_t *stream;          /* blocks of eight outputs, as edgeq_mve_scaled.h says */
} eq_linear_scaled_mve_t;

/* each: whether each output has a multiplier; copy: whether x is copied to scratch first, because it is unsigned
 * (`flip`) or no whole groups of 16; rule: of edgeq_mve_stage.h. scratch: groups of 16 bytes if `copy`, else little. */
EQ_KERNEL void eq_linear_scaled_mve(const eq_linear_scaled_mve_t *p, const void *const x[], void *y, void *scratch,
                                    bool each, bool copy, bool flip, int32_t rule)
{
    const int32_t eights = p->outputs / 8, rest = p->outputs % 8;
    const uint8_t *stream = (const uint8_t *)p->stream, *from = x[0];
    if (copy) {
        (void)eq_mve_copy(scratch, from, p->inputs, !flip);
        from = scratch;
    }
    eq_mve_vector_t job = {from, eq_mve_rounds(p->groups), 0, stream, stream + eights * p->bytes, y,
                           p->multiplier, p->shift, p->zero, p->lo, p->hi, eq_mve_skip(p->groups, 68), p->groups};
    if (eights > 0) {
        eq_mve_vector(&job, rule, each);
    }
    if (rest > 0) {
        uint8_t last[8], *to = (uint8_t *)y + 8 * eights;
        job.w_end = job.w + p->bytes;
        job.y = last;
        eq_mve_vector(&job, rule, each);
        for (int32_t i = 0; i < rest; i++) {
            to[i] = last[i];
        }
    }
}

#endif
