// A library that is still loaded holds a block in its data.
// leaks: reachable 30/1
#include <dlfcn.h>

#include "leaks.h"

int main(void) {
    void* library = dlopen(LIBRARY, RTLD_NOW);
    void (*allocate)(size_t) = (void (*)(size_t))dlsym(library, "allocate_in_data");
    allocate(30);
    forget();
}
