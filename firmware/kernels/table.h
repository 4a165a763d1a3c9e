/* table.h: any function of one variable, one entry for each code of its input. */
#ifndef EDGEQ_KERNEL_TABLE_H
#define EDGEQ_KERNEL_TABLE_H

#include "edgeq_kernel.h"

typedef struct {
    int32_t count;     /* elements */
    int32_t least;     /* least code of x */
    const void *table; /* codes of y */
} eq_table_t;

/* y may lie over x where its elements are no wider. */
EQ_KERNEL void eq_table(const eq_table_t *p, const void *const x[], void *y, eq_type xt, eq_type yt)
{
    const int32_t count = p->count, least = p->least;
    const void *table = p->table, *from = x[0];
    for (int32_t i = 0; i < count; i++) {
        const int32_t code = eq_is_float(xt) ? (int32_t)eq_code(from, i, xt) : eq_load(from, i, xt);
        eq_store_code(y, i, eq_code(table, code - least, yt), yt);
    }
}

#endif
