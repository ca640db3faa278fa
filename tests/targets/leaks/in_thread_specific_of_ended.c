// A key without a destructor: what an ended thread had there nobody reaches.
// leaks: definite 100/1
#include <pthread.h>

#include "leaks.h"

static pthread_key_t key;

static void* hold(void* nothing) {
    pthread_setspecific(key, make(100));
    forget();
    return nothing;
}

int main(void) {
    pthread_t thread;
    pthread_key_create(&key, NULL);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_join(thread, NULL);
    forget();
}
