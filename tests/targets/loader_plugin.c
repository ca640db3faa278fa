// A library that stands behind the program and the profiler in search order.
#define _GNU_SOURCE
#include <dlfcn.h>

void* next_malloc_seen_by_plugin(void) {
    void* volatile found =
        dlsym(RTLD_NEXT, "malloc");  // volatile: a jump to dlsym would make our caller the one asking
    return found;
}
