// A thread runs on a stack that the program has made from a block.
// leaks: definite 50/1, reachable 65636/2
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

APART static void start(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    void* stack = aligned_alloc(4096, 65536);
    memset(stack, 0, 65536);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, 65536);
    pthread_create(&thread, &attributes, hold, NULL);
    pthread_attr_destroy(&attributes);
}

int main(void) {
    pthread_barrier_init(&ready, NULL, 2);
    start();
    pthread_barrier_wait(&ready);
    forget();
}
