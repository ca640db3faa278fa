// A block that points to itself is no ring.
// leaks: definite 100/1
#include "leaks.h"

APART static void link_up(void) {
    void** block = make(100);
    block[3] = block;
    block[4] = block + 2;
}

int main(void) {
    link_up();
    forget();
}
