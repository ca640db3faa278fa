// A program's own account of its allocations, kept beside the calls and never through the profiler.
//
// Rules are those of the command line's contract: a successful realloc is one allocation and one free, a failed one
// neither; a zero-size block that has an address is a block of 0 bytes; bytes are what was asked for.
// Uses no stdio, so that the program allocates nothing but what it counts.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum entry {
    by_malloc,
    by_calloc,
    by_realloc,
    by_reallocarray,
    by_posix_memalign,
    by_aligned_alloc,
    by_memalign,
    by_valloc,
    by_pvalloc,
    entry_count
};

static const char* const entry_names[entry_count] = {
    "malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc"};

struct account {
    uint64_t allocations, frees, allocated_bytes, freed_bytes;
    uint64_t live_blocks, live_bytes, peak_blocks, peak_bytes;  // in one thread
    uint64_t entry_blocks[entry_count], entry_bytes[entry_count];
    uint64_t wrong;  // promises of the allocator that were not kept: contents, alignment, errno
};

struct block {
    unsigned char* at;
    size_t size;
};

static inline void account_born(struct account* a, enum entry entry, size_t size) {
    a->allocations++;
    a->allocated_bytes += size;
    a->entry_blocks[entry]++;
    a->entry_bytes[entry] += size;
    a->live_blocks++;
    a->live_bytes += size;
    if (a->live_bytes > a->peak_bytes) {
        a->peak_bytes = a->live_bytes;
    }
    if (a->live_blocks > a->peak_blocks) {
        a->peak_blocks = a->live_blocks;
    }
}

static inline void account_gone(struct account* a, size_t size) {
    a->frees++;
    a->freed_bytes += size;
    a->live_blocks--;
    a->live_bytes -= size;
}

// Sums what several threads counted apart; peaks have no sum.
static inline void account_add(struct account* sum, const struct account* part) {
    sum->allocations += part->allocations;
    sum->frees += part->frees;
    sum->allocated_bytes += part->allocated_bytes;
    sum->freed_bytes += part->freed_bytes;
    sum->live_blocks += part->live_blocks;
    sum->live_bytes += part->live_bytes;
    sum->wrong += part->wrong;
    for (int i = 0; i < entry_count; i++) {
        sum->entry_blocks[i] += part->entry_blocks[i];
        sum->entry_bytes[i] += part->entry_bytes[i];
    }
}

// One JSON line on stdout.
static inline void account_print(const struct account* a) {
    char line[2048];
    int n = snprintf(line, sizeof line,
                     "{\"allocations\":%lu,\"frees\":%lu,\"allocated_bytes\":%lu,\"freed_bytes\":%lu,"
                     "\"live_blocks\":%lu,\"live_bytes\":%lu,\"peak_blocks\":%lu,\"peak_bytes\":%lu,\"wrong\":%lu,"
                     "\"entries\":{",
                     a->allocations, a->frees, a->allocated_bytes, a->freed_bytes, a->live_blocks, a->live_bytes,
                     a->peak_blocks, a->peak_bytes, a->wrong);
    for (int i = 0; i < entry_count; i++) {
        n += snprintf(line + n, sizeof line - n, "%s\"%s\":{\"blocks\":%lu,\"bytes\":%lu}", i == 0 ? "" : ",",
                      entry_names[i], a->entry_blocks[i], a->entry_bytes[i]);
    }
    n += snprintf(line + n, sizeof line - n, "}}\n");
    if (write(1, line, n) != n) {
        _exit(99);
    }
}

// The same sequence every time, from a seed: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift
// generators, scrambled").
static inline uint64_t next_random(uint64_t* state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1D;
}

// Baseline runs ("nothing") do all but the counted calls; what they allocate is libc's and the runtime's.
static inline int asked_for_nothing(int argc, char** argv) {
    return argc > 1 && strcmp(argv[1], "nothing") == 0;
}
