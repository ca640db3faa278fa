// Sixteen threads, of which each holds a block and has lost another; half of them have ended.
// leaks: definite 2400/24, reachable 800/8
#include <pthread.h>
#include <unistd.h>

#include "leaks.h"

static pthread_barrier_t ready;

static void* hold(void* stays) {
    void** volatile held = make(100);
    lose(100);
    forget();
    if (stays == NULL)
        return NULL;
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return held;
}

int main(void) {
    pthread_t threads[16];
    pthread_barrier_init(&ready, NULL, 9);
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, hold, i % 2 == 0 ? &ready : NULL);
    for (int i = 1; i < 16; i += 2)
        pthread_join(threads[i], NULL);
    pthread_barrier_wait(&ready);
    forget();
}
