// A pointer to the start, found later, is what counts.
// leaks: reachable 160/2
#include "leaks.h"

void** inside;
void** holder;

int main(void) {
    void** block = make(100);
    inside = block + 2;
    holder = make(60);
    holder[6] = block;
    forget();
}
