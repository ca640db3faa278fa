// Loaded after the attach: allocates before dlopen returns, and says so.
#include <stdlib.h>

enum { marked = 70001 };

static void* first;

static __attribute__((constructor)) void begin(void) {
    first = malloc(marked);
}

static __attribute__((destructor)) void end(void) {
    free(first);
}

void* plugin_allocate(size_t bytes) {
    return malloc(bytes);
}
