// Hazard: programs that look malloc up at run time. On libc's own handle they must get the recorded one; RTLD_NEXT and
// RTLD_DEFAULT must mean what they mean to the caller. Also opens and closes a library that allocates. loader [nothing]
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>

#include "account.h"

// In libloader_plugin.so.
void* next_malloc_seen_by_plugin(void);

typedef void* (*malloc_function)(size_t);
typedef void (*free_function)(void*);

#ifdef __x86_64__
static const char first_version[] = "GLIBC_2.2.5";
#else
static const char first_version[] = "GLIBC_2.17";
#endif

static struct account account;

static bool is_from(const void* function, const char* library) {
    Dl_info info;
    return function != NULL && dladdr(function, &info) != 0 && strstr(info.dli_fname, library) != NULL;
}

static void by_handle(void* libc, bool idle) {
    malloc_function make[] = {
        (malloc_function)dlsym(libc, "malloc"), (malloc_function)dlvsym(libc, "malloc", first_version),
        (malloc_function)dlsym(RTLD_DEFAULT, "malloc"), (malloc_function)dlsym(RTLD_NEXT, "malloc")};
    free_function let_go = (free_function)dlsym(libc, "free");
    for (int i = 0; i < 4 && !idle; i++) {
        void* at = make[i](100 + (size_t)i);
        account_born(&account, by_malloc, 100 + (size_t)i);
        if (i % 2 == 0) {
            let_go(at);
            account_gone(&account, 100 + (size_t)i);
        }
    }
}

static void meanings(void* libc) {
    account.wrong += dlsym(RTLD_DEFAULT, "malloc") != (void*)malloc;
    // For the program itself the next one is whoever was preloaded, or libc; for a library behind, libc's own.
    account.wrong += dlsym(RTLD_NEXT, "malloc") != (void*)malloc;
    account.wrong += !is_from(next_malloc_seen_by_plugin(), "libc.so");
    account.wrong += !is_from(dlsym(libc, "strlen"), "libc.so");
    account.wrong += dlsym(libc, "no such function") != NULL || dlerror() == NULL;
    account.wrong += dlvsym(libc, "malloc", "GLIBC_1.0") != NULL || dlerror() == NULL;
}

int main(int argc, char** argv) {
    void* libc = dlopen("libc.so.6", RTLD_LAZY);
    meanings(libc);
    by_handle(libc, asked_for_nothing(argc, argv));
    account_print(&account);
    return account.wrong == 0 ? 0 : 1;
}
