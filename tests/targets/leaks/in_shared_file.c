// A pointer in a file that is mapped shared.
// leaks: reachable 100/1
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leaks.h"

APART static int fill(void) {
    FILE* file = tmpfile();
    if (file == NULL || ftruncate(fileno(file), 8192) != 0)
        return 1;
    void*** words = (void***)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    fclose(file);
    words[700] = make(100);
    return 0;
}

int main(void) {
    int status = fill();
    forget();
    return status;
}
