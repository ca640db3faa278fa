// A list that a global holds.
// leaks: reachable 1000/10
#include "leaks.h"

void** head;

int main(void) {
    for (int i = 0; i < 10; i++) {
        void** next = make(100);
        next[5] = head;
        head = next;
    }
    forget();
}
