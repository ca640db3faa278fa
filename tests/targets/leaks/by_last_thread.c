// main leaves by pthread_exit; the program ends with its last thread.
// leaks: definite 120/2
#include <pthread.h>

#include "leaks.h"

static pthread_t first;

static void* end(void* nothing) {
    void** volatile held = make(100);
    pthread_join(first, NULL);
    forget();
    return held == NULL ? (void*)end : nothing;
}

int main(void) {
    pthread_t thread;
    first = pthread_self();
    pthread_create(&thread, NULL, end, NULL);
    lose(20);
    forget();
    pthread_exit(NULL);
}
