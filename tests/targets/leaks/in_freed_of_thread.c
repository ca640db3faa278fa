// Freed memory of another arena.
// leaks: definite 300/3
#include <pthread.h>

#include "leaks.h"

static void* run(void* nothing) {
    void** small = make(200);
    void** large = make(20000);
    small[10] = make(100);
    large[1000] = make(100);
    large[1001] = make(100);
    free(large);
    free(small);
    return nothing;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
    forget();
}
