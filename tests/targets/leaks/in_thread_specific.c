// A value of a key of the thread.
// leaks: reachable 100/1
#include <pthread.h>

#include "leaks.h"

int main(void) {
    pthread_key_t key;
    pthread_key_create(&key, NULL);
    pthread_setspecific(key, make(100));
    forget();
}
