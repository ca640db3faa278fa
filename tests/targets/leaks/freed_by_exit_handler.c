// An exit handler frees what a global holds.
// leaks: reachable 100/1
// leaks (strict):
#include "leaks.h"

static void** held;

static void release(void) {
    free(held);
}

int main(void) {
    held = make(100);
    atexit(release);
    forget();
}
