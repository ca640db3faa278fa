// Hazard: a ring that fills up in the midst of an allocation. fill COUNT: so many blocks of 64 bytes, and then the free
// of each. Without stdio, which would allocate.
#include <stdlib.h>

enum { most = 1 << 16 };

int main(int argc, char** argv) {
    static void* blocks[most];
    int count = argc > 1 ? atoi(argv[1]) : 0;
    if (count > most) {
        return 2;
    }
    for (int i = 0; i < count; i++) {
        blocks[i] = malloc(64);
    }
    for (int i = 0; i < count; i++) {
        free(blocks[i]);
    }
    return 0;
}
