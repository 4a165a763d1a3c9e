/* edgeq.h: what a generated network and its application share: status codes and the macros one may override. */
#ifndef EDGEQ_H
#define EDGEQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    EDGEQ_OK = 0,
    EDGEQ_ERROR_ARGUMENT = 1, /* a null pointer, or an index of an input or output that does not exist */
    EDGEQ_ERROR_ARENA = 2,    /* the arena is smaller than <NET>_ARENA_BYTES */
    EDGEQ_ERROR_ALIGN = 3,    /* the arena does not start at a multiple of <NET>_ARENA_ALIGN */
    EDGEQ_ERROR_STATE = 4,    /* run before init */
    EDGEQ_ERROR_SELFTEST = 5, /* the self-test got other codes than the emulator made */
    EDGEQ_MORE_ROWS = 6       /* no error: the rows were taken, and the sample has more */
} edgeq_status;

/* Put before each constant array; define it to place weights in a section of your own. */
#ifndef EDGEQ_WEIGHT_SECTION
#define EDGEQ_WEIGHT_SECTION
#endif

/* Called after each step with its number and its output, after each row of steps that run by rows; empty unless
 * defined. A step that this input does not need is left out, and its output is NULL then. */
#ifndef EDGEQ_LAYER_HOOK
#define EDGEQ_LAYER_HOOK(step, data, bytes) ((void)0)
#endif

/* Write code i of an input whose codes have `bits` bits, 2 or 4, and share bytes. */
static inline void edgeq_code_put(void *codes, size_t i, unsigned bits, int code)
{
    const unsigned each = 8u / bits, at = (unsigned)(i % each) * bits, mask = ((1u << bits) - 1u) << at;
    uint8_t *const byte = (uint8_t *)codes + i / each;
    *byte = (uint8_t)((*byte & ~mask) | ((unsigned)code << at & mask));
}

/* Code i, without its sign, of an output whose codes have `bits` bits and share bytes. */
static inline unsigned edgeq_code_get(const void *codes, size_t i, unsigned bits)
{
    const unsigned each = 8u / bits;
    return (unsigned)((const uint8_t *)codes)[i / each] >> (i % each * bits) & ((1u << bits) - 1u);
}

#endif
