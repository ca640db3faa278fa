// A page with a pointer, written and then made read-only.
// leaks: reachable 100/1
#include <sys/mman.h>

#include "leaks.h"

APART static int hide(void) {
    void*** page = (void***)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[100] = make(100);
    return mprotect(page, 4096, PROT_READ);
}

int main(void) {
    int status = hide();
    forget();
    return status;
}
