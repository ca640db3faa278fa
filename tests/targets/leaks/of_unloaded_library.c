// With a library goes its data, and the block that it held is lost. Its stack is still named.
// leaks: definite 30/1
#include <dlfcn.h>

#include "leaks.h"

APART static int load(void) {
    void* library = dlopen(LIBRARY, RTLD_NOW);
    void (*allocate)(size_t) = (void (*)(size_t))dlsym(library, "allocate_in_data");
    allocate(30);
    return dlclose(library);
}

int main(void) {
    int status = load();
    forget();
    return status;
}
