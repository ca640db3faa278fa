// Hazard: a program that closes every descriptor above 2, as daemons do, and gets the same numbers again for its own
// files: not one byte may be written to those. Also allocates in a forked child afterwards.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "account.h"

static struct account account;

static void allocate(int times) {
    for (int i = 0; i < times; i++) {
        void* at = malloc(100);
        account_born(&account, by_malloc, 100);
        if (i % 2 == 0) {
            free(at);
            account_gone(&account, 100);
        }
    }
}

int main(int argc, char** argv) {
    enum { files = 64 };
    int own[files];
    if (asked_for_nothing(argc, argv)) {
        account_print(&account);
        return 0;
    }
    allocate(1000);
    for (int i = 3; i < 1024; i++) {
        close(i);
    }
    for (int i = 0; i < files; i++) {
        char name[] = "/tmp/close_descriptors.XXXXXX";
        own[i] = mkstemp(name);
        account.wrong += own[i] != 3 + i || unlink(name) != 0;
    }
    allocate(100000);
    pid_t child = fork();
    if (child == 0) {
        allocate(1000);
        _exit(0);
    }
    int status = 1;
    account.wrong += waitpid(child, &status, 0) != child || status != 0;
    for (int i = 0; i < files; i++) {
        struct stat about;
        account.wrong += fstat(own[i], &about) != 0 || about.st_size != 0;
    }
    account_print(&account);
    return account.wrong == 0 ? 0 : 1;
}
