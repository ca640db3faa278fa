// Another thread calls exit while main waits for it.
// leaks: definite 100/1, reachable 30/2
// exit: 3
#include <pthread.h>

#include "leaks.h"

static void* end(void* nothing) {
    void** volatile held = make(10);
    lose(100);
    forget();
    exit(held == NULL ? 0 : 3);
    return nothing;
}

int main(void) {
    pthread_t thread;
    void** volatile held = make(20);
    pthread_create(&thread, NULL, end, NULL);
    pthread_join(thread, NULL);
    return held == NULL;
}
