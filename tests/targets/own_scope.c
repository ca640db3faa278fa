// Hazard: a library that finds libc's malloc before anybody else's (RTLD_DEEPBIND), and one that has a libc of its own
// (dlmopen). own_scope [deepbind | namespace | nothing] [before | after]: it says a line before or after that library
// is loaded, and waits for the end of its input.
#include <dlfcn.h>
#include <unistd.h>

#include "account.h"

enum { rounds = 100, large = 5000 };

static struct account sum;

typedef void* allocate_function(size_t size);
typedef void* resize_function(void* block, size_t size);
typedef void release_function(void* block);

static void* function(void* library, const char* name) {
    void* found = dlsym(library, name);
    sum.wrong += found == NULL;
    return found;
}

static void deep(void* library) {
    allocate_function* allocate = (allocate_function*)function(library, "scope_allocate");
    resize_function* resize = (resize_function*)function(library, "scope_resize");
    release_function* release = (release_function*)function(library, "scope_release");
    for (size_t i = 1; i <= rounds; i++) {
        void* theirs = allocate(i);
        account_born(&sum, by_malloc, i);
        theirs = resize(theirs, large);
        account_gone(&sum, i);
        account_born(&sum, by_realloc, large);
        if (i % 2 == 0) {
            free(theirs);  // its block, released here
            account_gone(&sum, large);
        }
        void* ours = malloc(i);
        account_born(&sum, by_malloc, i);
        release(ours);
        account_gone(&sum, i);
    }
}

// Of the other libc: nobody sees them, and nobody mixes them up.
static void apart(void* library) {
    allocate_function* allocate = (allocate_function*)function(library, "scope_allocate");
    release_function* release = (release_function*)function(library, "scope_release");
    for (size_t i = 1; i <= rounds; i++) {
        unsigned char* block = allocate(large);
        memset(block, 0xA5, large);
        sum.wrong += block[large - 1] != 0xA5;
        release(block);
        free(malloc(i));
        account_born(&sum, by_malloc, i);
        account_gone(&sum, i);
    }
}

static void wait_if(int argc, char** argv, const char* when) {
    char byte;
    if (argc > 2 && strcmp(argv[2], when) == 0) {
        sum.wrong += write(STDOUT_FILENO, "waits\n", 6) != 6;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
    }
}

int main(int argc, char** argv) {
    const char* mode = argc > 1 ? argv[1] : "nothing";
    int is_apart = strcmp(mode, "namespace") == 0 || (argc > 2 && strcmp(argv[2], "namespace") == 0);
    wait_if(argc, argv, "before");
    void* library = is_apart ? dlmopen(LM_ID_NEWLM, SCOPE_PLUGIN, RTLD_NOW | RTLD_LOCAL)
                             : dlopen(SCOPE_PLUGIN, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    sum.wrong += library == NULL;
    wait_if(argc, argv, "after");
    if (sum.wrong == 0 && !asked_for_nothing(argc, argv)) {
        if (is_apart) {
            apart(library);
        } else {
            deep(library);
        }
    }
    account_print(&sum);
    return sum.wrong != 0;
}
