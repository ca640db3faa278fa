// A lost block points into the midst of another.
// leaks: definite 100/1, indirect 60/1
#include "leaks.h"

APART static void link_up(void) {
    void** inner = make(60);
    make(100)[0] = inner + 3;
}

int main(void) {
    link_up();
    forget();
}
