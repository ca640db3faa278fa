// An initialized global structure holds a block.
// leaks: reachable 100/1
#include "leaks.h"

struct {
    int number;
    void** block;
} held = {7, NULL};

int main(void) {
    held.block = make(100);
    forget();
}
