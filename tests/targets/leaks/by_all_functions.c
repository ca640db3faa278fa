// calloc, reallocarray, and realloc of nothing.
// leaks: definite 600/3
#include "leaks.h"

APART static void allocate(void) {
    memset(calloc(10, 10), 0, 100);
    memset(reallocarray(NULL, 20, 10), 0, 200);
    memset(realloc(NULL, 300), 0, 300);
}

int main(void) {
    allocate();
    forget();
}
