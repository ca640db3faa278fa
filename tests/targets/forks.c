// Hazard: the process forks over and over while four of its threads allocate. Each child allocates 10 blocks of 100
// bytes, frees 5 of them and one that it got from its parent. forks [nothing | CHILDREN]
// The line printed is the parent's account.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "account.h"

enum { threads = 4, table = 64 };

static atomic_bool done;
static pthread_barrier_t together;

struct worker {
    pthread_t id;
    struct account account;
    uint64_t random;
};

static void* work(void* argument) {
    struct worker* me = argument;
    struct block blocks[table] = {0};
    pthread_barrier_wait(&together);
    while (!atomic_load(&done)) {
        struct block* b = &blocks[next_random(&me->random) % table];
        if (b->at != NULL) {
            account_gone(&me->account, b->size);
            free(b->at);
        }
        b->size = next_random(&me->random) % 2000;
        b->at = malloc(b->size);
        account_born(&me->account, by_malloc, b->size);
    }
    pthread_barrier_wait(&together);
    return NULL;
}

static void child(void* inherited) {
    void* blocks[10];
    for (int i = 0; i < 10; i++) {
        blocks[i] = malloc(100);
    }
    for (int i = 0; i < 5; i++) {
        free(blocks[i]);
    }
    free(inherited);
    _exit(blocks[9] == NULL);
}

int main(int argc, char** argv) {
    static struct worker workers[threads];
    static struct account sum;
    int children = asked_for_nothing(argc, argv) ? 0 : argc > 1 ? atoi(argv[1]) : 1000;
    atomic_store(&done, children == 0);
    pthread_barrier_init(&together, NULL, threads);
    for (int i = 0; i < threads; i++) {
        workers[i].random = 77777 + i;
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    }
    for (int i = 0; i < children; i++) {
        void* inherited = malloc(50);
        account_born(&sum, by_malloc, 50);
        pid_t pid = fork();
        if (pid == 0) {
            child(inherited);
        }
        int status = 1;
        sum.wrong += pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
        free(inherited);
        account_gone(&sum, 50);
    }
    atomic_store(&done, true);
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].id, NULL);
        account_add(&sum, &workers[i].account);
    }
    account_print(&sum);
    return sum.wrong == 0 ? 0 : 1;
}
