// Three rings, each of which leads into the one allocated before it: the last is the leak.
// leaks: definite 100/1, indirect 500/5, ring 2
#include "leaks.h"

APART static void link_up(void) {
    void** before = NULL;
    for (int i = 0; i < 3; i++) {
        void** a = make(100);
        void** b = make(100);
        a[0] = b;
        b[0] = a;
        b[1] = before;
        before = a;
    }
}

int main(void) {
    link_up();
    forget();
}
