/* Counts what an emulated arm64 machine does between two marks: executions of each basic block, and misses of a first
 * level of data cache and of several second levels behind it, side by side.
 *
 * A plugin for QEMU's translator. Compiled with -DAPI=1 for QEMU up to 8, 2 for QEMU 9.0, 3 from 9.1 on. QEMU's interface
 * is declared here, as far as it is used, because distributions do not package its header; it is documented in QEMU's
 * docs/devel/tcg-plugins.rst.
 *
 * A mark is `movz xzr, #MARK + n`, which does nothing and which no compiler emits. n = 0: from now on, simulate; 1: count
 * from zero, with the caches as they are; 2: stop, and append what was counted to the file. Between 2 and the next 0
 * nothing but the marks is looked for, so that the rest of the machine is as fast as without the plugin.
 *
 * Arguments: out=FILE, l1=KIB:WAYS, l2=KIB:WAYS (up to MOST_L2 times). Lines are of 64 bytes; caches are write-allocate,
 * replace the least recently used line, and are indexed by virtual address. There is no prefetcher.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* QEMU's interface. */

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
} qemu_info_t;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_RW = 3 };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
typedef void (*simple_cb)(qemu_plugin_id_t);
typedef void (*trans_cb)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*exec_cb)(unsigned int, void *);
typedef void (*memory_cb)(unsigned int, qemu_plugin_meminfo_t, uint64_t, void *);

void qemu_plugin_reset(qemu_plugin_id_t, simple_cb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, trans_cb);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, exec_cb, enum qemu_plugin_cb_flags, void *);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, memory_cb, enum qemu_plugin_cb_flags,
                                      enum qemu_plugin_mem_rw, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t);
#if API >= 3
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
#else
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
#endif
#if API >= 2
struct qemu_plugin_scoreboard;
typedef struct { struct qemu_plugin_scoreboard *score; size_t offset; } qemu_plugin_u64;
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *, unsigned int);
void qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(struct qemu_plugin_tb *, enum qemu_plugin_op, qemu_plugin_u64,
                                                       uint64_t);
#else
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, enum qemu_plugin_op, void *, uint64_t);
#endif

EXPORT int qemu_plugin_version = API;

/* Caches. */

#define LINE_BITS 6
#define MOST_L2 8

struct cache {
    uint64_t sets;    /* a power of two */
    unsigned ways;
    uint64_t *lines;  /* [sets][ways], the most recently used first; 0 is no line, since line 0 is never mapped */
};

static struct cache l1, l2[MOST_L2];
static unsigned levels;
static uint64_t accesses, l1_loads, l1_stores, l2_misses[MOST_L2];
static uint64_t last_line;

/* Whether the line was there; it is the most recently used afterwards. */
static bool found(struct cache *cache, uint64_t line)
{
    uint64_t *set = cache->lines + (line & (cache->sets - 1)) * cache->ways;
    uint64_t moved = line;
    for (unsigned way = 0; way < cache->ways; way++) {
        uint64_t held = set[way];
        set[way] = moved;
        if (held == line) {
            return true;
        }
        moved = held;
    }
    return false;
}

static void on_access(unsigned int vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    uint64_t line = address >> LINE_BITS;
    accesses++;
    if (line == last_line) {
        return;
    }
    last_line = line;
    if (found(&l1, line)) {
        return;
    }
    if (qemu_plugin_mem_is_store(info)) {
        l1_stores++;
    } else {
        l1_loads++;
    }
    for (unsigned level = 0; level < levels; level++) {
        l2_misses[level] += !found(&l2[level], line);
    }
}

/* Blocks, found again by address and content: a program's block is translated more than once. */

#define MOST_BLOCKS (1u << 18)

struct block {
    uint64_t address;
    uint32_t *words;  /* NULL: a free place */
    uint32_t count;   /* of words */
};

static struct block *blocks;
static uint32_t used;
static uint64_t *executions;  /* by block; the last one collects what has no place */
#if API >= 2
static struct qemu_plugin_scoreboard *scoreboard;
#endif

/* The block's number; MOST_BLOCKS - 1 where no place is left. */
static uint32_t number_of(uint64_t address, const uint32_t *words, uint32_t count)
{
    uint64_t hash = (address >> 2) * 0x9E3779B97F4A7C15u ^ count;
    for (uint32_t word = 0; word < count; word++) {
        hash = (hash ^ words[word]) * 0x100000001B3u;
    }
    uint32_t at = (uint32_t)(hash >> 32) % (MOST_BLOCKS - 1);
    for (; blocks[at].words; at = (at + 1) % (MOST_BLOCKS - 1)) {
        struct block *block = &blocks[at];
        if (block->address == address && block->count == count && !memcmp(block->words, words, count * sizeof *words)) {
            return at;
        }
    }
    uint32_t *copy = used < MOST_BLOCKS / 2 ? malloc(count * sizeof *words) : NULL;
    if (!copy) {
        return MOST_BLOCKS - 1;
    }
    memcpy(copy, words, count * sizeof *words);
    blocks[at] = (struct block){address, copy, count};
    used++;
    return at;
}

static uint32_t word_of(const struct qemu_plugin_insn *instruction)
{
    uint32_t word = 0;
#if API >= 3
    qemu_plugin_insn_data(instruction, &word, sizeof word);
#else
    memcpy(&word, qemu_plugin_insn_data(instruction), sizeof word);
#endif
    return word;
}

/* Marks. */

#define MARK 0xEC00u
enum { SIMULATE, ZERO, STOP, MARKS };

static qemu_plugin_id_t self;
static FILE *out;
static bool simulating;

static uint64_t *counts(void)
{
#if API >= 2
    return qemu_plugin_scoreboard_find(scoreboard, 0);
#else
    return executions;
#endif
}

static void zero(void)
{
    accesses = l1_loads = l1_stores = 0;
    memset(l2_misses, 0, sizeof l2_misses);
    memset(counts(), 0, MOST_BLOCKS * sizeof *executions);
}

static void write_out(void)
{
    const uint64_t *count = counts();
    fprintf(out, "accesses %llu\nl1 %llu %llu\nl2", (unsigned long long)accesses, (unsigned long long)l1_loads,
            (unsigned long long)l1_stores);
    for (unsigned level = 0; level < levels; level++) {
        fprintf(out, " %llu", (unsigned long long)l2_misses[level]);
    }
    fprintf(out, "\nlost %llu\n", (unsigned long long)count[MOST_BLOCKS - 1]);
    for (uint32_t at = 0; at < MOST_BLOCKS - 1; at++) {
        if (blocks[at].words && count[at]) {
            fprintf(out, "block %llu ", (unsigned long long)count[at]);
            for (uint32_t word = 0; word < blocks[at].count; word++) {
                fprintf(out, "%08x", blocks[at].words[word]);
            }
            fputc('\n', out);
        }
    }
    fputs("end\n", out);
    fflush(out);
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block);

static void begin_again(qemu_plugin_id_t id)
{
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
}

static void on_mark(unsigned int vcpu, void *data)
{
    switch ((uintptr_t)data) {
    case SIMULATE:
        if (!simulating) {
            simulating = true;
            last_line = 0;
            qemu_plugin_reset(self, begin_again);  /* all code is translated again, with counters in it */
        }
        zero();
        break;
    case ZERO:
        zero();
        break;
    case STOP:
        if (simulating) {
            write_out();
            simulating = false;
            qemu_plugin_reset(self, begin_again);
        }
        break;
    }
}

#define MOST_WORDS 4096

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    static uint32_t words[MOST_WORDS];
    size_t count = qemu_plugin_tb_n_insns(block);
    for (size_t at = 0; at < count && at < MOST_WORDS; at++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, at);
        words[at] = word_of(instruction);
        if ((words[at] & 0xFFE0001F) == 0xD280001F && ((words[at] >> 5) & 0xFFFF) - MARK < MARKS) {
            uintptr_t mark = ((words[at] >> 5) & 0xFFFF) - MARK;
            qemu_plugin_register_vcpu_insn_exec_cb(instruction, on_mark, QEMU_PLUGIN_CB_NO_REGS, (void *)mark);
        }
        if (simulating) {
            qemu_plugin_register_vcpu_mem_cb(instruction, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, NULL);
        }
    }
    if (simulating) {
        uint32_t number = number_of(qemu_plugin_tb_vaddr(block), words, count < MOST_WORDS ? count : MOST_WORDS);
#if API >= 2
        qemu_plugin_u64 place = {scoreboard, number * sizeof *executions};
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, QEMU_PLUGIN_INLINE_ADD_U64, place, 1);
#else
        qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64, &executions[number], 1);
#endif
    }
}

/* Whether `text` described a cache. */
static bool made(struct cache *cache, const char *text)
{
    unsigned kib, ways;
    if (sscanf(text, "%u:%u", &kib, &ways) != 2 || !ways) {
        return false;
    }
    cache->sets = ((uint64_t)kib << (10 - LINE_BITS)) / ways;
    cache->ways = ways;
    cache->lines = calloc(cache->sets * ways, sizeof *cache->lines);
    return cache->lines && cache->sets && !(cache->sets & (cache->sets - 1));
}

static bool accepted(const char *argument)
{
    if (!strncmp(argument, "out=", 4)) {
        return (out = fopen(argument + 4, "a"));
    }
    if (!strncmp(argument, "l1=", 3)) {
        return made(&l1, argument + 3);
    }
    return !strncmp(argument, "l2=", 3) && levels < MOST_L2 && made(&l2[levels++], argument + 3);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    for (int at = 0; at < argc; at++) {
        if (!accepted(argv[at])) {
            fprintf(stderr, "edgecheck's plugin does not accept %s\n", argv[at]);
            return -1;
        }
    }
    blocks = calloc(MOST_BLOCKS, sizeof *blocks);
#if API >= 2
    scoreboard = qemu_plugin_scoreboard_new(MOST_BLOCKS * sizeof *executions);
#else
    executions = calloc(MOST_BLOCKS, sizeof *executions);
#endif
    if (!out || !l1.lines || !blocks) {
        fputs("edgecheck's plugin needs out=, l1= and memory\n", stderr);
        return -1;
    }
    self = id;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    return 0;
}
