// A thread-local variable of a library that was loaded late: the loader allocates its memory, and reaches it by the
// vector of the thread.
// leaks: reachable 100/1
#include <dlfcn.h>

#include "leaks.h"

int main(void) {
    void* library = dlopen(LIBRARY, RTLD_NOW);
    void (*keep)(void**) = (void (*)(void**))dlsym(library, "keep_in_thread");
    keep(make(100));
    forget();
}
