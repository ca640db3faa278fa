// The C library keeps the stack of a thread that has ended, with a pointer on it.
// leaks: definite 100/1
#include <pthread.h>

#include "leaks.h"

static void* hold(void* nothing) {
    void** volatile held = make(100);
    forget();
    return held == NULL ? (void*)hold : nothing;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, hold, NULL);
    pthread_join(thread, NULL);
    forget();
}
