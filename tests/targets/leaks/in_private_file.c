// A pointer in a private copy of a file's page.
// leaks: reachable 100/1
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "leaks.h"

APART static int fill(const char* path) {
    int file = open(path, O_RDONLY);
    void*** words = (void***)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    close(file);
    words[100] = make(100);
    return file < 0;
}

int main(int count, char** arguments) {
    int status = count == 1 ? fill(arguments[0]) : 1;
    forget();
    return status;
}
