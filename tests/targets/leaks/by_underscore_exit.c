// _exit runs no handlers.
// leaks: definite 100/1, reachable 10/1
#include <unistd.h>

#include "leaks.h"

static void** held;

static void release(void) {
    free(held);
}

int main(void) {
    lose(100);
    held = make(10);
    atexit(release);
    forget();
    _exit(0);
}
