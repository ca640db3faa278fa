// More freed blocks than the cache takes: the rest goes to a fast bin.
// leaks: definite 2000/20
#include "leaks.h"

int main(void) {
    void** freed[20];
    for (int i = 0; i < 20; i++) {
        freed[i] = make(64);
        freed[i][5] = make(100);
    }
    for (int i = 0; i < 20; i++)
        free(freed[i]);
    memset(freed, 0, sizeof freed);
    forget();
}
