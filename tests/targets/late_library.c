// What a library may hold of malloc: a variable and a table that are initialised with its address. Linked twice: bound
// lazily, and bound at once with everything that is relocated write-protected (RELRO).
#include "late_library.h"

#include <stdlib.h>

void* (*LATE(variable))(size_t) = malloc;
static struct late_table const table = {malloc, calloc, realloc, free};

const struct late_table* LATE(functions)(void) {
    return &table;
}
void* LATE(allocate)(size_t bytes) {
    return malloc(bytes);
}
void LATE(release)(void* block) {
    free(block);
}
