// A lost block holds one that a global holds, too.
// leaks: definite 100/1, reachable 60/1
#include "leaks.h"

void** held;

APART static void link_up(void) {
    held = make(60);
    make(100)[0] = held;
}

int main(void) {
    link_up();
    forget();
}
