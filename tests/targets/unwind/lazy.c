// An indirect function that is bound at its first call: the resolver runs under the loader's binding trampoline,
// whose frame is found by RBX.
__attribute__((visibility("default"))) void (*unwind_lazy_hook)(void);

static void implementation(void) {}

static void (*resolve(void))(void) {
    if (unwind_lazy_hook != 0) {
        unwind_lazy_hook();
    }
    return implementation;
}

__attribute__((ifunc("resolve"))) void unwind_lazy_indirect(void);

__attribute__((visibility("default"), noinline)) void unwind_lazy_call(void) {
    unwind_lazy_indirect();
    __asm__ volatile("");
}
