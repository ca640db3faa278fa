// malloc's memory goes on behind what the program has taken by sbrk: it ends in two small chunks before that.
// leaks: definite 350/2, indirect 60/1, reachable 100400/3
#include <unistd.h>

#include "leaks.h"

void** held;

APART static void take(void) {
    void*** own = (void***)sbrk(4096);
    own[8] = make(200);
}

APART static void lose_two(void) {
    make(300)[2] = make(60);
    lose(50);
}

int main(void) {
    void** first[4];
    free(make(10));
    take();
    for (int i = 0; i < 4; i++)
        first[i] = make(100 * 1000);
    held = first[3];
    held[7] = make(200);
    for (int i = 0; i < 3; i++)
        free(first[i]);
    memset(first, 0, sizeof first);
    lose_two();
    forget();
}
