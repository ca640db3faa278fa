// Values of keys beyond the first 32 lie in a block of the C library (512 bytes).
// leaks: reachable 612/2
#include <pthread.h>

#include "leaks.h"

int main(void) {
    pthread_key_t key;
    for (int i = 0; i < 50; i++)
        pthread_key_create(&key, NULL);
    pthread_setspecific(key, make(100));
    forget();
}
