// Hazard: more threads than the profiler has rings, or very many short ones. crowd [nothing] TOGETHER TIMES: so many
// threads at once, so often; each allocates 100 blocks of its own size and keeps one.
#include <pthread.h>
#include <stdbool.h>

#include "account.h"

enum { blocks = 100, most = 1000 };

static bool idle;
static pthread_barrier_t together;
static struct worker {
    pthread_t id;
    struct account account;
} workers[most];

static void* work(void* argument) {
    struct worker* me = argument;
    size_t size = 100 + (size_t)(me - workers);
    pthread_barrier_wait(&together);
    for (int i = 0; i < blocks && !idle; i++) {
        void* at = malloc(size);
        account_born(&me->account, by_malloc, size);
        if (i > 0) {
            free(at);
            account_gone(&me->account, size);
        }
    }
    // All are made before one ends: what libc allocates for threads is the same in every run.
    pthread_barrier_wait(&together);
    return NULL;
}

int main(int argc, char** argv) {
    static struct account sum;
    idle = asked_for_nothing(argc, argv);
    if (argc != 3 + idle || atoi(argv[1 + idle]) > most) {
        return 2;
    }
    int count = atoi(argv[1 + idle]), times = atoi(argv[2 + idle]);
    pthread_barrier_init(&together, NULL, (unsigned)count);
    for (int t = 0; t < times; t++) {
        for (int i = 0; i < count; i++) {
            sum.wrong += pthread_create(&workers[i].id, NULL, work, &workers[i]) != 0;
        }
        for (int i = 0; i < count; i++) {
            pthread_join(workers[i].id, NULL);
        }
    }
    for (int i = 0; i < count; i++) {
        account_add(&sum, &workers[i].account);
    }
    account_print(&sum);
    return sum.wrong == 0 ? 0 : 1;
}
