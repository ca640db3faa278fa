// Runs the function whose address is in UNWIND_TEST_HOOK while it is being loaded.
#include <stdlib.h>

__attribute__((constructor)) static void construct(void) {
    const char* hook = getenv("UNWIND_TEST_HOOK");
    if (hook != NULL) {
        ((void (*)(void))strtoull(hook, NULL, 10))();
    }
}
