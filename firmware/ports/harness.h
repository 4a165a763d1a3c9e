/* What a network gives to the verification harness (harness.c), and the hook that its code calls after a step.
 *
 * The generated code defines `eq_harness_net`. Each sample in edgeq_in.bin is the inputs' bytes in table order;
 * each result in edgeq_out.bin is the outputs' bytes in table order.
 */
#ifndef EDGEQ_PORTS_HARNESS_H
#define EDGEQ_PORTS_HARNESS_H

#include <stdint.h>

struct eq_input {
    void *data;
    uint32_t bytes;
};

struct eq_output {
    const void *data;
    uint32_t bytes;
};

struct eq_harness {
    const char *name;                /* the network's name, for messages */
    int32_t (*init)(void);           /* called once; 0 is good */
    int32_t (*run)(void);            /* called per sample; 0 is good */
    const struct eq_input *inputs;   /* written before run */
    uint32_t input_count;
    const struct eq_output *outputs; /* read after run */
    uint32_t output_count;
};

extern const struct eq_harness eq_harness_net;

/* Called by the generated code after each step, in builds with EDGEQ_TRACE (appends the bytes to
 * edgeq_trace.bin) or EDGEQ_PROFILE (closes the count of `step`). In all other builds the generated code must
 * not call it: use EDGEQ_HOOK, which vanishes. data is NULL where a step is left out, because this input does not need
 * it; the trace then has bytes of EQ_LEFT_OUT in its place. */
void edgeq_trace(uint32_t step, const void *data, uint32_t bytes);

#ifndef EDGEQ_HOOK
#if defined(EDGEQ_TRACE) || defined(EDGEQ_PROFILE)
#define EDGEQ_HOOK(step, data, bytes) edgeq_trace((step), (data), (bytes))
#else
#define EDGEQ_HOOK(step, data, bytes) ((void)0)
#endif
#endif

enum { EQ_LEFT_OUT = 0xA5 };

/* Exit statuses of the harness; 0 is success. */
enum {
    EQ_EXIT_INIT = 1,   /* init returned a bad status */
    EQ_EXIT_RUN = 2,    /* run returned a bad status */
    EQ_EXIT_INPUT = 3,  /* edgeq_in.bin is missing or ends inside a sample */
    EQ_EXIT_STACK = 4,  /* the stack ran into the data below it */
    EQ_EXIT_OUTPUT = 5, /* a result file cannot be written */
    EQ_EXIT_FAULT = 112 /* the processor faulted; the address is printed */
};

#endif
