// SIGTERM's default action.
// leaks: definite 100/1, reachable 10/1
// exit: 143
#include <signal.h>

#include "leaks.h"

void** held;

int main(void) {
    lose(100);
    held = make(10);
    forget();
    raise(SIGTERM);
}
