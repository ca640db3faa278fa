// An exit handler forgets what a global holds.
// leaks: reachable 100/1
// leaks (strict): definite 100/1
#include "leaks.h"

void** held;

static void drop(void) {
    held = NULL;
    forget();
}

int main(void) {
    held = make(100);
    atexit(drop);
    forget();
}
