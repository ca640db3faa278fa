// A pool that tells of its blocks. One chunk of 4096 bytes, cut into 64 pieces of 64; the first piece is at the chunk's
// own address. 40 are given out, of 50 bytes each, 30 by a second thread; 10 are taken back. 30 blocks, 1500 bytes
// stay. The chunk is held; a block of 100 bytes is held by a piece of the pool alone, one of 200 bytes by nobody.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "native/include/nativeheap.h"

static char* chunk;
static int used;

__attribute__((noinline)) static void* take(void) {
    void* piece = chunk + 64 * used++;
    nativeheap_pool_allocated(piece, 50);
    return piece;
}

__attribute__((noinline)) static void give_back(void* piece) {
    nativeheap_pool_freed(piece);
}

static void* take_30(void* unused) {
    for (int i = 0; i < 30; i++) {
        take();
    }
    return unused;
}

__attribute__((noinline)) static void lose(void) {
    void* volatile lost = malloc(200);
    lost = NULL;
    (void)lost;
}

int main(void) {
    chunk = malloc(4096);
    memset(chunk, 0, 4096);
    for (int i = 0; i < 10; i++) {
        take();
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, take_30, NULL) != 0) {
        return 1;
    }
    pthread_join(thread, NULL);
    for (int i = 30; i < 40; i++) {
        give_back(chunk + 64 * i);
    }
    void* held = malloc(100);
    memcpy(chunk + 64, &held, sizeof held);
    held = NULL;
    lose();
    return 0;
}
