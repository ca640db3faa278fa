// A pointer in a System V segment.
// leaks: reachable 100/1
#include <sys/ipc.h>
#include <sys/shm.h>

#include "leaks.h"

APART static int fill(void) {
    int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    void*** words = (void***)shmat(segment, NULL, 0);
    shmctl(segment, IPC_RMID, NULL);
    if (words == (void***)-1)
        return 1;
    words[100] = make(100);
    return 0;
}

int main(void) {
    int status = fill();
    forget();
    return status;
}
