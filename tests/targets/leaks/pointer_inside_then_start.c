// What hangs off a block that is possibly lost is possibly lost, too.
// leaks: possible 160/2
#include "leaks.h"

void** inside;

int main(void) {
    void** block = make(100);
    block[0] = make(60);
    inside = block + 2;
    forget();
}
