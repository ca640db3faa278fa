// Blocks of 0 bytes: one held, one lost.
// leaks: definite 0/1, reachable 0/1
#include "leaks.h"

void** held;

int main(void) {
    lose(0);
    held = make(0);
    forget();
}
