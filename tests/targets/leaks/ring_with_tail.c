// A ring of three, and a tail of two that hangs off it.
// leaks: definite 100/1, indirect 280/4, ring 3
#include "leaks.h"

APART static void link_up(void) {
    void** a = make(100);
    void** b = make(100);
    void** c = make(100);
    a[0] = b;
    b[0] = c;
    c[0] = a;
    b[1] = make(40);
    ((void**)b[1])[0] = make(40);
}

int main(void) {
    link_up();
    forget();
}
