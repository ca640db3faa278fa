// Somebody else's LD_AUDIT: the loader puts it, and a libc of its own, beside the program. It counts what is loaded, on
// the heap of that libc.
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>

static int* loaded;

unsigned int la_version(unsigned int version) {
    loaded = calloc(1, 70001);
    return version;
}

unsigned int la_objopen(struct link_map* map, Lmid_t space, uintptr_t* cookie) {
    (void)map, (void)space, (void)cookie;
    ++*loaded;
    return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}
