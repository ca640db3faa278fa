// Two lost blocks that hold the same third one: two leaks, and the third is counted once.
// leaks: definite 200/2, indirect 100/1
#include "leaks.h"

APART static void link_up(void) {
    void** one = make(100);
    void** shared = make(100);
    void** other = make(100);
    one[0] = shared;
    other[0] = shared;
}

int main(void) {
    link_up();
    forget();
}
