/* The batch as one network for the harness: its inputs and outputs are those of all members, its run runs them all.
 *
 * Python writes the members' tables before this text: NETS, INPUTS, OUTPUTS, DECLARATIONS, ROWS, HOOKS and, for each
 * member, <name>_arena and <name>_guard. With EDGEQ_BATCH_GUARD, for AddressSanitizer, the arena of a member is closed
 * while it runs, but for the bytes of the operands of the step that is on.
 */
#include "harness.h"

#define DECLARE(name) extern const struct eq_harness name##_harness;
DECLARATIONS

struct member {
    const struct eq_harness *harness;
    uint64_t *arena;
    const uint32_t *guard; /* bytes of the arena; then for each step a count and as many pairs of offset and bytes */
    uint32_t words;        /* of guard */
};

#define NET(name) {&name##_harness, name##_arena, name##_guard, (uint32_t)(sizeof name##_guard / sizeof name##_guard[0])}
static const struct member members[NETS] = {ROWS};
static struct eq_input inputs[INPUTS];
static struct eq_output outputs[OUTPUTS];

#if defined(EDGEQ_BATCH_GUARD)
#include <stddef.h>
void __asan_poison_memory_region(const volatile void *start, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *start, size_t bytes);

static uint32_t next_step; /* word of the running member's guard where its next step begins */

static void open_step(const struct member *net)
{
    uint8_t *const arena = (uint8_t *)net->arena;
    __asan_poison_memory_region(arena, net->guard[0]);
    if (next_step < net->words) {
        const uint32_t *const at = net->guard + next_step;
        for (uint32_t i = 0; i < at[0]; i++) {
            __asan_unpoison_memory_region(arena + at[1u + 2u * i], at[2u + 2u * i]);
        }
        next_step += 1u + 2u * at[0];
    }
}

#define HOOK(index, name)                                                  \
    void name##_trace(uint32_t step, const void *data, uint32_t bytes);    \
    void name##_trace(uint32_t step, const void *data, uint32_t bytes)     \
    {                                                                      \
        edgeq_trace(step, data, bytes);                                    \
        open_step(&members[index]);                                        \
    }
HOOKS

static int32_t run_member(const struct member *net)
{
    next_step = 1u;
    open_step(net);
    const int32_t status = net->harness->run();
    __asan_unpoison_memory_region(net->arena, net->guard[0]);
    return status;
}
#else
static int32_t run_member(const struct member *net)
{
    return net->harness->run();
}
#endif

static int32_t init(void)
{
    uint32_t in = 0, out = 0;
    for (uint32_t i = 0; i < NETS; i++) {
        const struct eq_harness *const net = members[i].harness;
        const int32_t status = net->init();
        if (status != 0) {
            return status;
        }
        for (uint32_t j = 0; j < net->input_count; j++) {
            inputs[in++] = net->inputs[j];
        }
        for (uint32_t j = 0; j < net->output_count; j++) {
            outputs[out++] = net->outputs[j];
        }
    }
    return 0;
}

static int32_t run(void)
{
    for (uint32_t i = 0; i < NETS; i++) {
        const int32_t status = run_member(&members[i]);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

const struct eq_harness eq_harness_net = {
    .name = "batch",
    .init = init,
    .run = run,
    .inputs = inputs,
    .input_count = INPUTS,
    .outputs = outputs,
    .output_count = OUTPUTS,
};
