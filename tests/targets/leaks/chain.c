// A list whose head is lost: one leak, with nine blocks that hang off it.
// leaks: definite 100/1, indirect 900/9
#include "leaks.h"

APART static void link_up(void) {
    void** last = NULL;
    for (int i = 0; i < 10; i++) {
        void** next = make(100);
        next[0] = last;
        last = next;
    }
}

int main(void) {
    link_up();
    forget();
}
