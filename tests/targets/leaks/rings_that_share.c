// Two rings that share a block are one.
// leaks: definite 100/1, indirect 200/2, ring 3
#include "leaks.h"

APART static void link_up(void) {
    void** a = make(100);
    void** shared = make(100);
    void** c = make(100);
    a[0] = shared;
    shared[0] = a;
    shared[1] = c;
    c[0] = shared;
}

int main(void) {
    link_up();
    forget();
}
