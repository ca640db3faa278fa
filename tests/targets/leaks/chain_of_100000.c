// So long that whoever recurses overflows a stack; allocated from its head on.
// leaks: definite 16/1, indirect 1599984/99999
#include "leaks.h"

APART static void link_up(void) {
    void** last = make(16);
    for (int i = 1; i < 100000; i++) {
        void** next = make(16);
        last[0] = next;
        last = next;
    }
}

int main(void) {
    link_up();
    forget();
}
