// Hazard: memory that is freed and cannot be given back: one block in sixteen stays, so that every page of the heap is
// needed. Says what malloc itself counts (mallinfo2), then waits for the end of its input.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 160 * 1024, BYTES = 1000, KEPT = 16 };

static void* blocks[BLOCKS];

int main(void) {
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BYTES);
        memset(blocks[i], 1, BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % KEPT != 0)
            free(blocks[i]);
    struct mallinfo2 info = mallinfo2();
    printf("%zu %zu\n", info.uordblks, info.fordblks);  // live with its overhead; free
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}
