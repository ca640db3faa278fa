// A doubly linked list of which the head is lost is one ring.
// leaks: definite 100/1, indirect 900/9, ring 10
#include "leaks.h"

APART static void link_up(void) {
    void** last = NULL;
    for (int i = 0; i < 10; i++) {
        void** next = make(100);
        next[0] = last;
        if (last != NULL)
            last[1] = next;
        last = next;
    }
}

int main(void) {
    link_up();
    forget();
}
