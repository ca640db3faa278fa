// For tools/bench: nothing but allocations and frees, from a loop with a small stack. malloc_loop PAIRS
#include "account.h"

enum { window = 1024 };

int main(int argc, char** argv) {
    static void* blocks[window];
    uint64_t random = 1, pairs = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
    for (uint64_t i = 0; i < pairs; i++) {
        uint64_t r = next_random(&random);
        void** slot = &blocks[r % window];
        free(*slot);
        *slot = malloc(16 + (r >> 32) % 240);
    }
    for (int i = 0; i < window; i++) {
        free(blocks[i]);
    }
    return 0;
}
