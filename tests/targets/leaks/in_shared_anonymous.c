// A pointer in anonymous memory that is shared with children.
// leaks: reachable 100/1
#include <sys/mman.h>

#include "leaks.h"

APART static void fill(void) {
    void*** words = (void***)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    words[700] = make(100);
}

int main(void) {
    fill();
    forget();
}
