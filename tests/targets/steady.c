// Hazard: death at any moment. Allocates and frees without end, or OPERATIONS times, and keeps its account in a file
// that outlives it: an operation is counted after its call, so at any moment at most one is done and not counted. The
// file holds struct account, then the process id. steady ACCOUNT-FILE [OPERATIONS]; with a number it prints its account
// and exits with 5.
#include <fcntl.h>
#include <sys/mman.h>

#include "account.h"

enum { table = 1000 };

struct ledger {
    struct account account;
    uint64_t pid;
};

int main(int argc, char** argv) {
    if (argc < 2) {
        return 2;
    }
    int file = open(argv[1], O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(struct ledger)) != 0) {
        return 3;
    }
    volatile struct ledger* ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    struct account* account = (struct account*)&ledger->account;
    ledger->pid = getpid();
    close(file);
    uint64_t operations = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
    uint64_t random = 4711;
    static struct block blocks[table];
    for (uint64_t i = 0; i < operations; i++) {
        struct block* b = &blocks[next_random(&random) % table];
        if (b->at != NULL) {
            free(b->at);
            b->at = NULL;
            account_gone(account, b->size);
        } else {
            b->size = next_random(&random) % 3000;
            b->at = malloc(b->size);
            account_born(account, by_malloc, b->size);
        }
        __asm__ volatile("" ::: "memory");
    }
    account_print(account);
    return 5;
}
