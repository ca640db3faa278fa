// Fifty blocks that all hold each other.
// leaks: definite 400/1, indirect 19600/49, ring 50
#include "leaks.h"

APART static void link_up(void) {
    void** all[50];
    for (int i = 0; i < 50; i++)
        all[i] = make(400);
    for (int i = 0; i < 50; i++)
        for (int k = 0; k < 50; k++)
            all[i][k] = all[k];
    memset(all, 0, sizeof all);
}

int main(void) {
    link_up();
    forget();
}
