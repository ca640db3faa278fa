// Allocates in the resolver of an indirect function: the loader calls that while it relocates libraries, when the
// profiler's own may not have had its turn.
#include <stdlib.h>
#include <string.h>

static void* kept;

static int plain(void) {
    return 42;
}

__attribute__((optimize("no-stack-protector"))) static int (*resolve(void))(void) {
    for (int i = 0; i < 1000; i++) {
        free(kept);
        kept = malloc(100 + (size_t)i);
    }
    kept = realloc(kept, 5000);
    return kept != NULL ? plain : NULL;
}

int early_answer(void) __attribute__((ifunc("resolve")));

void* early_block(void) {
    return kept;
}
