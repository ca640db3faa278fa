// A register of another thread, which is busy, holds the only pointer.
// leaks: reachable 100/1
#include <pthread.h>
#include <stdatomic.h>

#include "leaks.h"

static atomic_int ready;

static void* hold(void* nothing) {
    register void** held __asm__("r13") = make(100);
    __asm__ volatile("" : "+r"(held));
    forget();
    ready = 1;
    for (;;)
        __asm__ volatile("pause" : "+r"(held));
    return nothing;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, hold, NULL);
    while (!ready)
        __asm__ volatile("pause");
    forget();
}
