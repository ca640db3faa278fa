// The only pointer waits in a pipe. No checker looks there, and none says otherwise: it counts as lost.
// leaks: definite 100/1
#include <unistd.h>

#include "leaks.h"

APART static int send_away(int to) {
    void** block = make(100);
    return write(to, &block, sizeof block) == sizeof block ? 0 : 1;
}

int main(void) {
    int ends[2];
    int status = pipe(ends) + send_away(ends[1]);
    forget();
    return status;
}
