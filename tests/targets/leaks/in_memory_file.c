// A pointer in a memfd.
// leaks: reachable 100/1
#include <sys/mman.h>
#include <unistd.h>

#include "leaks.h"

APART static int fill(void) {
    int file = memfd_create("words", MFD_CLOEXEC);
    if (ftruncate(file, 4096) != 0)
        return 1;
    void*** words = (void***)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    words[100] = make(100);
    return 0;
}

int main(void) {
    int status = fill();
    forget();
    return status;
}
