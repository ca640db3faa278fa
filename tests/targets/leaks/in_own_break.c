// Memory that the program takes by sbrk, between malloc's own.
// leaks: definite 50/1, reachable 300/2
#include <unistd.h>

#include "leaks.h"

APART static void take(void) {
    void*** own = (void***)sbrk(4096);
    own[8] = make(100);
    own[9] = make(200);
}

int main(void) {
    free(make(10));
    take();
    for (int i = 0; i < 3; i++)
        free(make(100 * 1000));
    lose(50);
    forget();
}
