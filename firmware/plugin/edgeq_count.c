/* QEMU TCG plugin: counts instructions between two marker functions, per address and per layer.
 *
 * Own prototypes of the plugin interface, because distributions ship QEMU without qemu-plugin.h; the functions
 * used here have kept their signatures from interface version 1 on (QEMU 6.0). QEMU resolves them at load.
 *
 * Arguments (key=value, numbers in C notation): start, stop (entry addresses of the markers), base (the address
 * whose offset in a byte load is the layer's number), layer=LO-HI (the function that makes that load),
 * skip=LO-HI (code never counted; may repeat), out (the file written at the end).
 *
 * Counting is by translation block: a block runs to its end unless an exception cuts it, and markers are
 * functions, so a block never straddles one. Output, one record a line:
 *   R TOTAL           instructions of one start-stop region
 *   H STEP PC COUNT   executions of the instruction at PC that ended up in layer STEP (-1: in none)
 *   E                 end; a file without it is incomplete
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef EDGEQ_PLUGIN_VERSION
#define EDGEQ_PLUGIN_VERSION 1
#endif

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };

typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int vcpu, void *data);
typedef void (*mem_cb)(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data);
typedef void (*end_cb)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb, enum qemu_plugin_cb_flags flags,
                                          void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, mem_cb cb, enum qemu_plugin_cb_flags flags,
                                      enum qemu_plugin_mem_rw rw, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, end_cb cb, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned int qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);

EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = EDGEQ_PLUGIN_VERSION;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv);

#define MAX_SKIPS 16
#define MAX_STEP 65535

/* One translation block: the addresses of its instructions and how often it ran, now and per layer. */
struct block {
    uint64_t current;
    uint64_t *per_step; /* [step + 1]; grows */
    size_t steps;
    size_t length;
    uint64_t *pc;
};

struct range {
    uint64_t low, high;
};

static struct {
    uint64_t start, stop, base;
    struct range layer;
    struct range skip[MAX_SKIPS];
    size_t skips;
    char out[1024];
} args;

static struct block **blocks;
static size_t block_count, block_room;
static struct block **touched; /* blocks with current > 0; same room as blocks */
static size_t touched_count;
static uint64_t *regions;
static size_t region_count, region_room;
static uint64_t region_total;
static bool active;
static bool armed; /* the function that names the layer has begun and not yet loaded its byte */

static void *need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "edgeq_count: out of memory\n");
        abort();
    }
    return memory;
}

/* Credits everything counted since the last marker to `step`. */
static void close_step(long step)
{
    const size_t index = (size_t)(step + 1);
    for (size_t i = 0; i < touched_count; i++) {
        struct block *b = touched[i];
        if (b->steps <= index) {
            b->per_step = need(realloc(b->per_step, (index + 1) * sizeof *b->per_step));
            memset(b->per_step + b->steps, 0, (index + 1 - b->steps) * sizeof *b->per_step);
            b->steps = index + 1;
        }
        b->per_step[index] += b->current;
        region_total += b->current * b->length;
        b->current = 0;
    }
    touched_count = 0;
}

static void on_block(unsigned int vcpu, void *data)
{
    struct block *b = data;
    (void)vcpu;
    if (active && b->current++ == 0) {
        touched[touched_count++] = b;
    }
}

static void on_start(unsigned int vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    active = true;
    region_total = 0;
}

static void on_stop(unsigned int vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    if (!active) {
        return;
    }
    close_step(-1);
    active = false;
    if (region_count == region_room) {
        region_room = region_room != 0 ? 2 * region_room : 64;
        regions = need(realloc(regions, region_room * sizeof *regions));
    }
    regions[region_count++] = region_total;
}

static void on_enter_layer(unsigned int vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    armed = true;
}

static void on_layer(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    (void)vcpu;
    (void)data;
    const uint64_t step = address - args.base;
    /* Only the byte load counts: the function may also touch words, in its literal pool or the stack. And only once:
     * QEMU 7.2 goes on to call for the accesses of later instructions that it leaves to helpers, as those of Helium. */
    if (active && armed && qemu_plugin_mem_size_shift(info) == 0 && step <= MAX_STEP) {
        armed = false;
        close_step((long)step);
    }
}

static bool skipped(uint64_t pc)
{
    for (size_t i = 0; i < args.skips; i++) {
        if (pc >= args.skip[i].low && pc < args.skip[i].high) {
            return true;
        }
    }
    return false;
}

static void add_block(struct qemu_plugin_tb *tb, size_t length)
{
    struct block *b = need(calloc(1, sizeof *b));
    b->length = length;
    b->pc = need(malloc(length * sizeof *b->pc));
    for (size_t i = 0; i < length; i++) {
        b->pc[i] = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, i));
    }
    if (block_count == block_room) {
        block_room = block_room != 0 ? 2 * block_room : 1024;
        blocks = need(realloc(blocks, block_room * sizeof *blocks));
        touched = need(realloc(touched, block_room * sizeof *touched));
    }
    blocks[block_count++] = b;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    const uint64_t at = qemu_plugin_tb_vaddr(tb);
    const size_t length = qemu_plugin_tb_n_insns(tb);
    if (at == args.start) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_start, QEMU_PLUGIN_CB_NO_REGS, NULL);
    } else if (at == args.stop) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_stop, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    for (size_t i = 0; i < length; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t pc = qemu_plugin_insn_vaddr(insn);
        if (pc >= args.layer.low && pc < args.layer.high) {
            if (i == 0) {
                qemu_plugin_register_vcpu_tb_exec_cb(tb, on_enter_layer, QEMU_PLUGIN_CB_NO_REGS, NULL);
            }
            /* Not reads alone: QEMU 7.2 then calls for writes instead. */
            qemu_plugin_register_vcpu_mem_cb(insn, on_layer, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
        }
    }
    if (!skipped(at)) {
        add_block(tb, length);
    }
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    FILE *file = fopen(args.out, "w");
    if (file == NULL) {
        fprintf(stderr, "edgeq_count: cannot write %s\n", args.out);
        return;
    }
    for (size_t i = 0; i < region_count; i++) {
        fprintf(file, "R %" PRIu64 "\n", regions[i]);
    }
    for (size_t i = 0; i < block_count; i++) {
        const struct block *b = blocks[i];
        for (size_t s = 0; s < b->steps; s++) {
            for (size_t k = 0; k < b->length && b->per_step[s] != 0; k++) {
                fprintf(file, "H %ld %" PRIu64 " %" PRIu64 "\n", (long)s - 1, b->pc[k], b->per_step[s]);
            }
        }
    }
    fprintf(file, "E\n");
    fclose(file);
}

static bool read_range(const char *text, struct range *range)
{
    char *end = NULL;
    range->low = strtoull(text, &end, 0);
    if (*end != '-') {
        return false;
    }
    range->high = strtoull(end + 1, &end, 0);
    return *end == '\0';
}

static bool read_argument(const char *text)
{
    const char *value = strchr(text, '=');
    if (value == NULL) {
        return false;
    }
    const size_t key = (size_t)(value - text);
    value++;
    if (key == 5 && strncmp(text, "start", key) == 0) {
        args.start = strtoull(value, NULL, 0);
    } else if (key == 4 && strncmp(text, "stop", key) == 0) {
        args.stop = strtoull(value, NULL, 0);
    } else if (key == 4 && strncmp(text, "base", key) == 0) {
        args.base = strtoull(value, NULL, 0);
    } else if (key == 5 && strncmp(text, "layer", key) == 0) {
        return read_range(value, &args.layer);
    } else if (key == 4 && strncmp(text, "skip", key) == 0 && args.skips < MAX_SKIPS) {
        return read_range(value, &args.skip[args.skips++]);
    } else if (key == 3 && strncmp(text, "out", key) == 0 && strlen(value) < sizeof args.out) {
        memcpy(args.out, value, strlen(value) + 1);
    } else {
        return false;
    }
    return true;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!read_argument(argv[i])) {
            fprintf(stderr, "edgeq_count: bad argument %s\n", argv[i]);
            return -1;
        }
    }
    if (args.start == 0 || args.stop == 0 || args.out[0] == '\0') {
        fprintf(stderr, "edgeq_count: start, stop and out are needed\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
