// Hazard: four threads free and resize each other's blocks, so that one address is born and dies in different threads
// many times over. exchange [nothing | ROUNDS]
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "account.h"

enum { threads = 4, slots = 256, kept = 100 };

// Blocks on their way; whoever swaps one out owns it.
static _Atomic(unsigned char*) mailbox[slots];
static pthread_barrier_t together;
static uint64_t rounds;

struct worker {
    pthread_t id;
    struct account account;
    uint64_t random;
};

// A block begins with its size and ends with it too.
static unsigned char* sealed(unsigned char* at, size_t size) {
    memcpy(at, &size, sizeof size);
    memcpy(at + size - sizeof size, &size, sizeof size);
    return at;
}

static size_t opened(struct account* account, const unsigned char* at) {
    size_t size, again;
    memcpy(&size, at, sizeof size);
    memcpy(&again, at + size - sizeof size, sizeof again);
    account->wrong += size != again;
    return size;
}

static unsigned char* make(struct worker* me) {
    size_t size = 16 + next_random(&me->random) % 400;
    enum entry entry = next_random(&me->random) % 4 == 0 ? by_calloc : by_malloc;
    account_born(&me->account, entry, size);
    return sealed(entry == by_calloc ? calloc(1, size) : malloc(size), size);
}

static unsigned char* resized(struct worker* me, unsigned char* at) {
    size_t before = opened(&me->account, at), after = 16 + next_random(&me->random) % 800;
    account_gone(&me->account, before);
    account_born(&me->account, by_realloc, after);
    return sealed(realloc(at, after), after);
}

static void let_go(struct worker* me, unsigned char* at) {
    account_gone(&me->account, opened(&me->account, at));
    free(at);
}

static void* work(void* argument) {
    struct worker* me = argument;
    pthread_barrier_wait(&together);
    for (uint64_t i = 0; i < rounds; i++) {
        unsigned char* mine = make(me);
        unsigned char* theirs = atomic_exchange(&mailbox[next_random(&me->random) % slots], mine);
        if (theirs != NULL && next_random(&me->random) % 4 == 0) {
            theirs = atomic_exchange(&mailbox[next_random(&me->random) % slots], resized(me, theirs));
        }
        if (theirs != NULL) {
            let_go(me, theirs);
        }
    }
    for (int i = 0; rounds > 0 && i < kept; i++) {
        (void)make(me);
    }
    // Nobody ends before all were made and have worked: what libc allocates for threads is the same in every run.
    pthread_barrier_wait(&together);
    return NULL;
}

int main(int argc, char** argv) {
    static struct worker workers[threads];
    static struct account sum;
    rounds = asked_for_nothing(argc, argv) ? 0 : argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    pthread_barrier_init(&together, NULL, threads);
    for (int i = 0; i < threads; i++) {
        workers[i].random = 0x9E3779B97F4A7C15u * (i + 1);
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].id, NULL);
    }
    for (int i = 0; i < slots / 2; i++) {
        unsigned char* left = atomic_exchange(&mailbox[i], NULL);
        if (left != NULL) {
            let_go(&workers[0], left);
        }
    }
    for (int i = 0; i < threads; i++) {
        account_add(&sum, &workers[i].account);
    }
    account_print(&sum);
    return sum.wrong == 0 ? 0 : 1;
}
