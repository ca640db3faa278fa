// Hazard: a pool in a process that forks. Of COUNT pieces of 40 bytes each, cut out of one block, half are taken back;
// the child then takes back a half of those that stay, which are its parent's, cuts a quarter of COUNT anew and takes
// back half of them. pool_fork COUNT
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native/include/nativeheap.h"

enum { piece = 48, asked = 40 };

static char* chunk;

__attribute__((noinline)) static void take(long from, long to) {
    for (long i = from; i < to; i++) {
        nativeheap_pool_allocated(chunk + piece * i, asked);
    }
}

static void give_back(long from, long to) {
    for (long i = from; i < to; i++) {
        nativeheap_pool_freed(chunk + piece * i);
    }
}

__attribute__((noinline)) static void take_in_child(long from, long to) {
    take(from, to);
}

int main(int argc, char** argv) {
    const long count = argc > 1 ? atol(argv[1]) : 0;
    chunk = calloc(count * 2, piece);
    if (count == 0 || chunk == NULL) {
        return 1;
    }
    take(0, count);
    give_back(0, count / 2);
    const pid_t child = fork();
    if (child == 0) {
        give_back(count / 2, count / 2 + count / 4);
        take_in_child(count, count + count / 4);
        give_back(count, count + count / 8);
        _exit(0);
    }
    int status = 1;
    return waitpid(child, &status, 0) != child || status != 0;
}
