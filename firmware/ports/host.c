/* The harness on this computer: runs many samples in one call. Built into a shared library, or, with
 * EDGEQ_HOST_MAIN, into a program that reads edgeq_in.bin and writes edgeq_out.bin and edgeq_trace.bin.
 *
 * Build with EDGEQ_TRACE, so that the network shows each step's output to edgeq_trace below. With EDGEQ_GUARD too, for
 * AddressSanitizer, a step may touch the bytes of its own operands only, to the byte, as edgeq_guard.bin lists them.
 */
#include "harness.h"

#include <stddef.h>
#include <string.h>

#if defined(_WIN32)
#define EQ_EXPORT __declspec(dllexport)
#else
#define EQ_EXPORT
#endif

static uint8_t *trace_at; /* where the next step's output goes; null: nowhere */

#if defined(EDGEQ_GUARD)
void __asan_poison_memory_region(const volatile void *start, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *start, size_t bytes);
extern uint64_t edgeq_arena[];

/* edgeq_guard.bin: bytes of the arena; then for the inputs, each step, and the outputs: a count and as many pairs of
 * offset and bytes. */
static const uint32_t *guard;

/* Opens the operands of one stage, 0 for the inputs, i + 1 for step i, and closes the rest of the arena. */
static void admit(uint32_t stage)
{
    const uint32_t *at = guard + 1;
    for (uint32_t i = 0; i < stage; i++) {
        at += 1u + 2u * at[0];
    }
    uint8_t *const arena = (uint8_t *)edgeq_arena;
    __asan_poison_memory_region(arena, guard[0]);
    for (uint32_t i = 0; i < at[0]; i++) {
        __asan_unpoison_memory_region(arena + at[1u + 2u * i], at[2u + 2u * i]);
    }
}
#else
static void admit(uint32_t stage)
{
    (void)stage;
}
#endif

void edgeq_trace(uint32_t step, const void *data, uint32_t bytes)
{
    if (trace_at != NULL) {
        if (data != NULL) {
            memcpy(trace_at, data, bytes);
        } else {
            memset(trace_at, EQ_LEFT_OUT, bytes);
        }
        trace_at += bytes;
    }
    admit(step + 2u);
}

/* Runs `samples` samples. in: the bytes of all inputs, sample after sample; out: the same of the outputs; trace: the
 * outputs of all steps, sample after sample, or null. Returns 0, or the first bad status of init or run. */
EQ_EXPORT int32_t edgeq_host_run(const uint8_t *in, uint8_t *out, uint8_t *trace, uint32_t samples);

EQ_EXPORT int32_t edgeq_host_run(const uint8_t *in, uint8_t *out, uint8_t *trace, uint32_t samples)
{
    const struct eq_harness *const net = &eq_harness_net;
    int32_t status = net->init();
    trace_at = trace;
    for (uint32_t sample = 0; sample < samples && status == 0; sample++) {
        admit(0u);
        for (uint32_t i = 0; i < net->input_count; i++) {
            memcpy(net->inputs[i].data, in, net->inputs[i].bytes);
            in += net->inputs[i].bytes;
        }
        admit(1u);
        status = net->run();
        for (uint32_t i = 0; i < net->output_count; i++) {
            memcpy(out, net->outputs[i].data, net->outputs[i].bytes);
            out += net->outputs[i].bytes;
        }
    }
    trace_at = NULL;
    return status;
}

#if defined(EDGEQ_HOST_MAIN)
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_all(const char *path, size_t *bytes)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        exit(EQ_EXIT_INPUT);
    }
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *const data = malloc(*bytes + 1u);
    if (data == NULL || fread(data, 1, *bytes, file) != *bytes) {
        exit(EQ_EXIT_INPUT);
    }
    (void)fclose(file);
    return data;
}

static void write_all(const char *path, const uint8_t *data, size_t bytes)
{
    FILE *const file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0) {
        exit(EQ_EXIT_OUTPUT);
    }
}

/* Arguments: number of samples, bytes of one sample's trace. */
int main(int argc, char **argv)
{
    if (argc != 3 || eq_harness_net.init() != 0) {
        return EQ_EXIT_INIT;
    }
    const size_t samples = strtoul(argv[1], NULL, 10);
    const size_t trace_bytes = strtoul(argv[2], NULL, 10) * samples;
    size_t in_bytes = 0;
    size_t out_bytes = 0;
    for (uint32_t i = 0; i < eq_harness_net.output_count; i++) {
        out_bytes += eq_harness_net.outputs[i].bytes * samples;
    }
#if defined(EDGEQ_GUARD)
    size_t guard_bytes = 0;
    guard = (const uint32_t *)(const void *)read_all("edgeq_guard.bin", &guard_bytes);
#endif
    uint8_t *const in = read_all("edgeq_in.bin", &in_bytes);
    uint8_t *const out = calloc(out_bytes + 1u, 1);
    uint8_t *const trace = calloc(trace_bytes + 1u, 1);
    if (out == NULL || trace == NULL) {
        return EQ_EXIT_OUTPUT;
    }
    const int32_t status = edgeq_host_run(in, out, trace_bytes != 0u ? trace : NULL, (uint32_t)samples);
    write_all("edgeq_out.bin", out, out_bytes);
    write_all("edgeq_trace.bin", trace, trace_bytes);
    free(in);
    free(out);
    free(trace);
    return status == 0 ? 0 : EQ_EXIT_RUN;
}
#endif
