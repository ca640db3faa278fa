// Pairs of malloc and free whose instructions are counted (tests/native/shim/instructions_test.cpp): all that happens
// within measured(). measured_pairs repeated|varying PAIRS
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { depth = 10, paths = 4096, deepest = 30 };

static uint64_t random_state;

static void pair(size_t bytes) {
    void* block = malloc(bytes);
    __asm__ volatile("" ::"r"(block) : "memory");
    free(block);
}

// Two functions that call each other or themselves, as the bits of the path say: two paths seldom share much of it.
static __attribute__((noinline)) void go_left(uint64_t path, int levels);
static __attribute__((noinline)) void go_right(uint64_t path, int levels);

static void go(uint64_t path, int levels) {
    if (levels == 0) {
        pair(64);
    } else if (path & 1) {
        go_left(path >> 1, levels - 1);
    } else {
        go_right(path >> 1, levels - 1);
    }
}

static __attribute__((noinline)) void go_left(uint64_t path, int levels) {
    go(path, levels);
    __asm__ volatile("");  // no tail call
}

static __attribute__((noinline)) void go_right(uint64_t path, int levels) {
    go(path, levels);
    __asm__ volatile("");
}

// Paths of a fixed set: each is new once, and has to be found again later.
static void vary(uint64_t pairs) {
    for (uint64_t i = 0; i < pairs; i++) {
        random_state = random_state * 6364136223846793005u + 1442695040888963407u;
        go((random_state >> 33) % paths * 0x9E3779B1, deepest);
    }
}

static __attribute__((noinline)) void repeat(uint64_t pairs, int levels) {
    if (levels > 0) {
        repeat(pairs, levels - 1);
    } else {
        for (uint64_t i = 0; i < pairs; i++) {
            pair(64);
        }
    }
    __asm__ volatile("");
}

__attribute__((noinline)) void measured(int varying, uint64_t pairs) {
    varying ? vary(pairs) : repeat(pairs, depth);
    __asm__ volatile("");
}

int main(int argc, char** argv) {
    int varying = argc > 1 && strcmp(argv[1], "varying") == 0;
    uint64_t pairs = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    varying ? vary(100) : repeat(100, depth);
    measured(varying, pairs);
    return 0;
}
