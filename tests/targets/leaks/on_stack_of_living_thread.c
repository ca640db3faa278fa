// A thread that sleeps holds a block in a local variable.
// leaks: definite 50/1, reachable 100/1
#include <pthread.h>
#include <unistd.h>

#include "leaks.h"

static pthread_barrier_t ready;

static void* hold(void* nothing) {
    void** volatile held = make(100);
    lose(50);
    forget();
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return held == NULL ? nothing : NULL;
}

int main(void) {
    pthread_t thread;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&ready);
    forget();
}
