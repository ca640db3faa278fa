// quick_exit runs handlers of its own.
// leaks: definite 100/1, reachable 10/1
// leaks (strict): definite 100/1
// exit: 4
#include "leaks.h"

static void** held;

static void release(void) {
    free(held);
}

int main(void) {
    lose(100);
    held = make(10);
    at_quick_exit(release);
    forget();
    quick_exit(4);
}
