// Another program takes this one's place: its blocks are gone with it, and were lost before that.
// leaks: definite 100/1, reachable 10/1
#include <unistd.h>

#include "leaks.h"

void** held;

int main(void) {
    lose(100);
    held = make(10);
    forget();
    execl("/bin/true", "true", (char*)NULL);
    return 1;
}
