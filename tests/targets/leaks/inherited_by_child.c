// What a child has from its parent is no leak of the child's, though it ends without freeing it.
// leaks: definite 100/1, reachable 10/1
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"

void** held;

int main(void) {
    int status = 0;
    lose(100);
    held = make(10);
    pid_t child = fork();
    if (child == 0) {
        held = NULL;
        forget();
        _exit(0);
    }
    forget();
    return waitpid(child, &status, 0) != child || status != 0;
}
