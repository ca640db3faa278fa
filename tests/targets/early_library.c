// Allocates in the resolver of an indirect function of its own: the loader calls that while it relocates this library,
// which is before it relocates the profiler's. Linked with -z now, so that malloc is bound by then.
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

static int answer(void) __attribute__((ifunc("resolve")));

int early_answer(void) {
    return answer();
}

void* early_block(void) {
    return kept;
}
