// A failed assertion.
// leaks: definite 100/1, reachable 10/1
// exit: 134
#include "leaks.h"

void** held;

int main(void) {
    lose(100);
    held = make(10);
    forget();
    abort();
}
