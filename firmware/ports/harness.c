/* The verification harness: feeds samples from edgeq_in.bin through a network and writes what it answers.
 *
 * Files, in the emulator's working directory: edgeq_in.bin (read), edgeq_out.bin, edgeq_stats.bin (eight words,
 * see write_stats) and, in a build with EDGEQ_TRACE, edgeq_trace.bin. The number of samples is the number that
 * edgeq_in.bin holds. Marker functions around `run` (not `init`) let an instruction counter find the region.
 */
#include "harness.h"
#include "semihost.h"

#include <stddef.h>

#if defined(EDGEQ_TRACE) && defined(EDGEQ_PROFILE)
#error "EDGEQ_TRACE and EDGEQ_PROFILE exclude each other: writing the trace would be counted"
#endif

#ifndef EDGEQ_PAINT_BYTES
#define EDGEQ_PAINT_BYTES 65536u /* the deepest stack that is looked for */
#endif

#define EQ_PAINT 0xE9E9E9E9u
#define EQ_STATS_MAGIC 0x54535145u /* "EQST" */
#define EQ_NOINLINE __attribute__((noinline, used))

extern uint32_t _eq_stack_limit[];
extern const uint8_t _eq_flash_start[];

void eq_fault(uint32_t pc, uint32_t cause);
void edgeq_mark_start(void);
void edgeq_mark_stop(void);
void edgeq_mark_layer(uint32_t step);
int32_t edgeq_region(int32_t (*run)(void));

static struct {
    uint32_t samples;
    int32_t init_status;
    int32_t run_status;
    uint32_t stack_peak; /* bytes, of init or run, whichever is deeper */
    uint32_t stack_room; /* bytes between the data and the stack's start here */
    uint32_t input_bytes;
} stats;

/* The markers differ in their bodies so that no compiler merges them. */
EQ_NOINLINE void edgeq_mark_start(void)
{
    __asm__ volatile("nop" : : : "memory");
}

EQ_NOINLINE void edgeq_mark_stop(void)
{
    __asm__ volatile("nop\n nop" : : : "memory");
}

EQ_NOINLINE int32_t edgeq_region(int32_t (*run)(void))
{
    edgeq_mark_start();
    const int32_t status = run();
    edgeq_mark_stop();
    return status;
}

#if defined(EDGEQ_PROFILE)
/* A counter that sees addresses but no registers learns the step from the address of this byte load. */
EQ_NOINLINE void edgeq_mark_layer(uint32_t step)
{
    (void)*(const volatile uint8_t *)(_eq_flash_start + step);
}

EQ_NOINLINE void edgeq_trace(uint32_t step, const void *data, uint32_t bytes)
{
    (void)data;
    (void)bytes;
    edgeq_mark_layer(step);
}
#endif

#if defined(EDGEQ_TRACE)
static int32_t trace_file = -1;
static uint32_t trace_failed;

EQ_NOINLINE void edgeq_trace(uint32_t step, const void *data, uint32_t bytes)
{
    (void)step;
    if (data != NULL) {
        trace_failed |= eq_sh_write(trace_file, data, bytes) != bytes ? 1u : 0u;
        return;
    }
    uint8_t left_out[64];
    for (uint32_t i = 0; i < sizeof left_out; i++) {
        left_out[i] = EQ_LEFT_OUT;
    }
    for (uint32_t done = 0; done < bytes; done += (uint32_t)sizeof left_out) {
        const uint32_t left = bytes - done, n = left < sizeof left_out ? left : (uint32_t)sizeof left_out;
        trace_failed |= eq_sh_write(trace_file, left_out, n) != n ? 1u : 0u;
    }
}
#endif

static uint32_t *paint_start(uint32_t *stack)
{
    uint32_t *const lowest = (uint32_t *)((uintptr_t)stack - EDGEQ_PAINT_BYTES);
    const uint32_t room = (uint32_t)((uintptr_t)stack - (uintptr_t)_eq_stack_limit);
    return room < EDGEQ_PAINT_BYTES ? _eq_stack_limit : lowest;
}

/* Fills [from, sp) and returns sp. In assembly because C code must not write below its own stack pointer. */
static inline uint32_t *paint(uint32_t *from)
{
    uint32_t *stack;
#if defined(__riscv)
    __asm__ volatile("mv %0, sp\n"
                     "1: bgeu %1, %0, 2f\n"
                     "   sw %2, 0(%1)\n"
                     "   addi %1, %1, 4\n"
                     "   j 1b\n"
                     "2:"
                     : "=&r"(stack), "+r"(from)
                     : "r"(EQ_PAINT)
                     : "memory");
#else
    __asm__ volatile(".syntax unified\n"
                     "   mov %0, sp\n"
                     "1: cmp %1, %0\n"
                     "   bhs 2f\n"
                     "   str %2, [%1]\n"
                     "   adds %1, %1, #4\n"
                     "   b 1b\n"
                     "2:"
                     : "=&l"(stack), "+l"(from)
                     : "l"(EQ_PAINT)
                     : "cc", "memory");
#endif
    return stack;
}

/* Calls `call` on a painted stack and notes how deep it went; returns its status, or sets *overflow. */
static int32_t call_measured(int32_t (*call)(void), uint32_t region, uint32_t *overflow)
{
    uint32_t here = 0u; /* its address is near the stack pointer: enough to choose where painting starts */
    uint32_t *const from = paint_start(&here);
    uint32_t *const stack = paint(from);
    const int32_t status = region != 0u ? edgeq_region(call) : call();
    const volatile uint32_t *lowest = from;
    while (lowest < stack && *lowest == EQ_PAINT) {
        lowest++;
    }
    const uint32_t depth = (uint32_t)((uintptr_t)stack - (uintptr_t)lowest);
    stats.stack_room = (uint32_t)((uintptr_t)stack - (uintptr_t)_eq_stack_limit);
    stats.stack_peak = depth > stats.stack_peak ? depth : stats.stack_peak;
    *overflow = lowest == from ? 1u : 0u;
    return status;
}

static int32_t write_stats(int32_t status)
{
    const uint32_t words[8] = {EQ_STATS_MAGIC,
                               1u,
                               stats.samples,
                               (uint32_t)stats.init_status,
                               (uint32_t)stats.run_status,
                               stats.stack_peak,
                               stats.stack_room,
                               stats.input_bytes};
    const int32_t file = eq_sh_open("edgeq_stats.bin", EQ_SH_WRITE_BINARY);
    if (file < 0 || eq_sh_write(file, words, sizeof words) != sizeof words || eq_sh_close(file) != 0) {
        return EQ_EXIT_OUTPUT;
    }
    return status;
}

/* Reads one sample; returns 1 for a sample, 0 at the end of the file, -1 when the file ends inside one. */
static int32_t read_sample(const struct eq_harness *net, int32_t file)
{
    uint32_t got = 0;
    uint32_t want = 0;
    for (uint32_t i = 0; i < net->input_count; i++) {
        const uint32_t bytes = net->inputs[i].bytes;
        want += bytes;
        got += eq_sh_read(file, net->inputs[i].data, bytes);
    }
    stats.input_bytes = want;
    if (got == want && want != 0u) {
        return 1;
    }
    return got == 0u ? 0 : -1;
}

static int32_t write_sample(const struct eq_harness *net, int32_t file)
{
    for (uint32_t i = 0; i < net->output_count; i++) {
        const uint32_t bytes = net->outputs[i].bytes;
        if (eq_sh_write(file, net->outputs[i].data, bytes) != bytes) {
            return EQ_EXIT_OUTPUT;
        }
    }
    return 0;
}

static int32_t run_samples(const struct eq_harness *net, int32_t in, int32_t out)
{
    for (;;) {
        uint32_t overflow = 0u;
        const int32_t more = read_sample(net, in);
        if (more <= 0) {
            return more == 0 ? 0 : EQ_EXIT_INPUT;
        }
        stats.run_status = call_measured(net->run, 1u, &overflow);
        if (overflow != 0u) {
            return EQ_EXIT_STACK;
        }
        if (stats.run_status != 0) {
            return EQ_EXIT_RUN;
        }
        if (write_sample(net, out) != 0) {
            return EQ_EXIT_OUTPUT;
        }
        stats.samples++;
    }
}

static int32_t harness(const struct eq_harness *net)
{
    uint32_t overflow = 0u;
    const int32_t in = eq_sh_open("edgeq_in.bin", EQ_SH_READ_BINARY);
    const int32_t out = eq_sh_open("edgeq_out.bin", EQ_SH_WRITE_BINARY);
    if (in < 0) {
        return EQ_EXIT_INPUT;
    }
#if defined(EDGEQ_TRACE)
    trace_file = eq_sh_open("edgeq_trace.bin", EQ_SH_WRITE_BINARY);
    if (trace_file < 0) {
        return EQ_EXIT_OUTPUT;
    }
#endif
    if (out < 0) {
        return EQ_EXIT_OUTPUT;
    }
    stats.init_status = call_measured(net->init, 0u, &overflow);
    if (overflow != 0u) {
        return EQ_EXIT_STACK;
    }
    if (stats.init_status != 0) {
        return EQ_EXIT_INIT;
    }
    int32_t status = run_samples(net, in, out);
    (void)eq_sh_close(in);
    if (eq_sh_close(out) != 0) {
        status = EQ_EXIT_OUTPUT;
    }
#if defined(EDGEQ_TRACE)
    if (eq_sh_close(trace_file) != 0 || trace_failed != 0u) {
        status = EQ_EXIT_OUTPUT;
    }
#endif
    return status;
}

/* Replaces the start-up code's fault handler: says where and why, then ends the run. */
void eq_fault(uint32_t pc, uint32_t cause)
{
    eq_sh_print("edgeq: fault at pc ");
    eq_sh_print_hex(pc);
    eq_sh_print(" cause ");
    eq_sh_print_hex(cause);
    eq_sh_print("\n");
    eq_sh_exit(EQ_EXIT_FAULT);
}

int main(void)
{
    eq_sh_exit(write_stats(harness(&eq_harness_net)));
    return 0;
}
