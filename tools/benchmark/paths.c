// paths DEPTH THREADS PAIRS [random]: each thread allocates and frees PAIRS blocks, 1,024 of them alive at a time, at
// the end of DEPTH calls. With "random" every call of the DEPTH goes by one of eight functions, and each pair by one of
// 4,096 such paths, chosen at random.
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { window = 1024, ways = 8, paths = 4096 };
struct work {
    uint64_t state, path;
    void* blocks[window];
};

static int depth, is_random;
static uint64_t pairs;

static uint64_t next(uint64_t* state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

static void descend(struct work* work, int left);

static void pair(struct work* work) {
    uint64_t r = next(&work->state);
    void** slot = &work->blocks[r % window];
    free(*slot);
    *slot = malloc(16 + (r >> 32) % 240);
}

#define WAY(n)                                                                  \
    static __attribute__((noinline)) void way##n(struct work* work, int left) { \
        descend(work, left - 1);                                                \
        __asm__ volatile("" ::: "memory");                                      \
    }
WAY(0)
WAY(1)
WAY(2)
WAY(3)
WAY(4)
WAY(5)
WAY(6)
WAY(7)
static void (*const functions[ways])(struct work*, int) = {way0, way1, way2, way3, way4, way5, way6, way7};

static void descend(struct work* work, int left) {
    if (left > 0) {
        functions[is_random ? next(&work->path) >> 61 : 0](work, left);
    } else if (is_random) {
        pair(work);
    } else {
        for (uint64_t i = 0; i < pairs; i++) {
            pair(work);
        }
    }
    __asm__ volatile("" ::: "memory");
}

static void* run(void* argument) {
    struct work* work = argument;
    for (uint64_t i = 0; i < (is_random ? pairs : 1); i++) {
        work->path =
            1 + next(&work->state) % paths * 0x9E3779B97F4A7C15;  // what follows is the same for the same start
        descend(work, depth);
    }
    for (int i = 0; i < window; i++) {
        free(work->blocks[i]);
    }
    return NULL;
}

int main(int argc, char** argv) {
    static struct work works[64];
    pthread_t threads[64];
    depth = argc > 1 ? atoi(argv[1]) : 10;
    int count = argc > 2 ? atoi(argv[2]) : 1;
    pairs = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000000;
    is_random = argc > 4 && strcmp(argv[4], "random") == 0;
    for (int i = 0; i < count && i < 64; i++) {
        works[i].state = 88172645463325252ULL + (uint64_t)i;
        pthread_create(&threads[i], NULL, run, &works[i]);
    }
    for (int i = 0; i < count && i < 64; i++) {
        pthread_join(threads[i], NULL);
    }
    return 0;
}
