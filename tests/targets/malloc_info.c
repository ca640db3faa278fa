// Hazard: arenas of several threads, of which nine blocks in ten are freed so that every page stays, and large blocks
// of which one half was never touched. Says what it has alive (requested bytes, and those of them that it never
// touched) and what malloc itself counts (malloc_info), then waits for the end of its input.
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, BLOCKS = 20 * 1024, LARGE = 4, LARGE_BYTES = 32 << 20 };

static char* blocks[THREADS][BLOCKS];
static size_t live[THREADS];

static void* work(void* argument) {
    size_t thread = (size_t)argument;
    for (int i = 0; i < BLOCKS; i++) {
        size_t bytes = 200 + (size_t)(i * 37 % 1800);
        blocks[thread][i] = malloc(bytes);
        memset(blocks[thread][i], 1, bytes);
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 10 != 0)
            free(blocks[thread][i]);
        else
            live[thread] += 200 + (size_t)(i * 37 % 1800);
    }
    return NULL;
}

int main(void) {
    static char* large[LARGE];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void*)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t sum = live[0] + live[1] + live[2];
    for (int i = 0; i < LARGE; i++) {
        large[i] = malloc(LARGE_BYTES);
        memset(large[i], 1, LARGE_BYTES / 2);
        sum += LARGE_BYTES;
    }
    for (int i = 0; i < LARGE * 256; i++) {  // so that whoever counts frees knows that all has been touched
        char* volatile mark = malloc(100);
        free(mark);
    }
    printf("%zu %zu\n", sum, (size_t)LARGE * LARGE_BYTES / 2);
    malloc_info(0, stdout);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return large[0][0] - 1;
}
