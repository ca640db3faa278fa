// A block beyond malloc's threshold is a mapping of its own; one is held and one is lost, with what they hold.
// leaks: definite 1000000/1, indirect 50/1, reachable 2000100/2
#include "leaks.h"

void** held;

APART static void lose_huge(void) {
    void** huge = make(1000000);
    huge[100000] = make(50);
}

int main(void) {
    held = make(2000000);
    held[200000] = make(100);
    lose_huge();
    forget();
}
