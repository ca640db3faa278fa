// Two blocks that hold each other.
// leaks: definite 100/1, indirect 60/1, ring 2
#include "leaks.h"

APART static void link_up(void) {
    void** one = make(100);
    void** other = make(60);
    one[0] = other;
    other[0] = one;
}

int main(void) {
    link_up();
    forget();
}
