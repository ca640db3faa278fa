// Pointers at odd addresses are not looked for (8-byte steps, as in memcheck and LeakSanitizer).
// leaks: definite 100/1
#include "leaks.h"

struct __attribute__((packed)) {
    char before;
    void** block;
} packed __attribute__((aligned(8)));

int main(void) {
    packed.block = make(100);
    forget();
}
