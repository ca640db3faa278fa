// realloc moves a huge block by mremap, and a small one by copying it.
// leaks: definite 50/1, reachable 4000500/4
#include "leaks.h"

void **huge, **small;

int main(void) {
    huge = make(1000000);
    huge[100000] = make(100);
    small = make(100);
    small[1] = make(100);
    void** gap = make(100);
    gap[1] = make(50);
    huge = (void**)realloc(huge, 4000000);
    small = (void**)realloc(small, 300);
    free(gap);
    forget();
}
