// Hazard for sampling: blocks of no bytes and of many, by every function, moved, freed by their own thread at once, by
// another one later, or never; in the end a child frees what it inherited. Prints how many of each size there were.
// sample_sizes [ROUNDS], of each of two threads
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { empty, small, cleared, grown, grown_array, aligned, memory_aligned, posix_aligned, whole_page, kinds };
static const char* const entries[kinds] = {"malloc",        "malloc",   "calloc",         "realloc", "reallocarray",
                                           "aligned_alloc", "memalign", "posix_memalign", "valloc"};
static const size_t sizes[kinds] = {0, 100, 24, 700, 900, 4096, 40000, 3000, 300};

struct counts {
    uint64_t born[kinds], freed[kinds];
};

enum { window = 64, threads = 2, inherited = 20000 };

// A thread frees what the other one left here, and what is left of these at the end.
static void* handed_over[threads][window][kinds];
static struct counts counts[threads];
static void* kept[threads * inherited];
static uint64_t kept_count;
static uint64_t rounds = 20000;

static void* make(enum kind kind, struct counts* to) {
    void* block = NULL;
    size_t size = sizes[kind];
    to->born[kind]++;
    switch (kind) {
        case empty:
        case small:
            return malloc(size);
        case cleared:
            return calloc(size / 8, 8);
        case grown:
        case grown_array:
            block = make(small, to);
            to->freed[small]++;
            return kind == grown ? realloc(block, size) : reallocarray(block, size / 100, 100);
        case aligned:
            return aligned_alloc(64, size);
        case memory_aligned:
            return memalign(128, size);
        case posix_aligned:
            return posix_memalign(&block, 256, size) == 0 ? block : NULL;
        case whole_page:
            return valloc(size);
        default:
            return NULL;
    }
}

static void* work(void* argument) {
    uint64_t self = (uint64_t)argument;
    struct counts* own = &counts[self];
    for (uint64_t i = 0; i < rounds; i++) {
        for (enum kind kind = 0; kind < kinds; kind++) {
            void* block = make(kind, own);
            void** slot = &handed_over[(self + i) % threads][i % window][kind];
            if (kind == whole_page) {
                free(block);  // at once
                own->freed[kind]++;
            } else if (kind == small && i < inherited) {
                kept[__atomic_fetch_add(&kept_count, 1, __ATOMIC_RELAXED)] = block;
            } else {
                block = __atomic_exchange_n(slot, block, __ATOMIC_ACQ_REL);
                if (block != NULL) {
                    free(block);
                    own->freed[kind]++;
                }
            }
        }
    }
    return NULL;
}

int main(int argc, char** argv) {
    rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : rounds;
    pthread_t other;
    pthread_create(&other, NULL, work, (void*)1);
    work(NULL);
    pthread_join(other, NULL);
    pid_t child = fork();
    if (child == 0) {
        for (uint64_t i = 0; i < kept_count; i++) {
            free(kept[i]);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);

    char text[4096];
    int length = snprintf(text, sizeof(text), "{\"inherited_size\":%zu,\"inherited_frees\":%lu,\"sizes\":[",
                          sizes[small], kept_count);
    for (enum kind kind = 0; kind < kinds; kind++) {
        length += snprintf(text + length, sizeof(text) - (size_t)length,
                           "%s{\"entry\":\"%s\",\"size\":%zu,\"allocations\":%lu,\"frees\":%lu,\"temporary\":%lu}",
                           kind > 0 ? "," : "", entries[kind], sizes[kind], counts[0].born[kind] + counts[1].born[kind],
                           counts[0].freed[kind] + counts[1].freed[kind],
                           kind == whole_page ? counts[0].freed[kind] + counts[1].freed[kind]
                           : kind == small    ? counts[0].freed[kind] + counts[1].freed[kind]
                                              : 0ul);
    }
    length += snprintf(text + length, sizeof(text) - (size_t)length, "]}\n");
    return write(1, text, (size_t)length) == length ? 0 : 1;
}
