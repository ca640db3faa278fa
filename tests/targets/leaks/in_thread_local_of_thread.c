// A thread-local variable of a thread that lives, and of one that has ended.
// leaks: definite 50/1, reachable 100/1
#include <pthread.h>
#include <unistd.h>

#include "leaks.h"

_Thread_local void** held;
static pthread_barrier_t ready;

static void* hold(void* stays) {
    held = make(stays != NULL ? 100 : 50);
    forget();
    if (stays == NULL)
        return NULL;
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
}

int main(void) {
    pthread_t living, ended;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&living, NULL, hold, &ready);
    pthread_barrier_wait(&ready);
    pthread_create(&ended, NULL, hold, NULL);
    pthread_join(ended, NULL);
    forget();
}
