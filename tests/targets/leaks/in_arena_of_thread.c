// A block of another arena holds one of the main arena, and the other way round.
// leaks: reachable 400/4
#include <pthread.h>

#include "leaks.h"

void **here, **there;

static void* run(void* block) {
    there = make(100);
    there[0] = block;
    here[0] = make(100);
    return NULL;
}

int main(void) {
    pthread_t thread;
    here = make(100);
    pthread_create(&thread, NULL, run, make(100));
    pthread_join(thread, NULL);
    forget();
}
