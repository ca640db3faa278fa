// A lost head that leads into a ring: the head is the leak, wherever the ring lies in memory.
// leaks: definite 40/1, indirect 200/2
#include "leaks.h"

APART static void link_up(void) {
    void** a = make(100);
    void** head = make(40);
    void** b = make(100);
    a[0] = b;
    b[0] = a;
    head[0] = b;
}

int main(void) {
    link_up();
    forget();
}
