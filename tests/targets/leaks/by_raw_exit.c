// The system call itself.
// leaks: definite 100/1, reachable 10/1
#include <sys/syscall.h>
#include <unistd.h>

#include "leaks.h"

void** held;

int main(void) {
    lose(100);
    held = make(10);
    forget();
    syscall(SYS_exit_group, 0);
}
