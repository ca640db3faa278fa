// What functions of libc return is the caller's.
// leaks: definite 57/6
#include <stdio.h>
#include <unistd.h>

#include "leaks.h"

APART static int copy(void) {
    char* text;
    strdup("123456789");
    strndup("123456789", 4);
    if (asprintf(&text, "%s", "1234567890123456789") < 0)
        return 1;
    realpath("/", NULL);
    return 0;
}

APART static int copy_more(void) {
    char* text = NULL;
    size_t size = 0;
    FILE* memory = open_memstream(&text, &size);
    if (memory == NULL || fputs("123456789", memory) < 0 || fclose(memory) != 0)
        return 1;
    return size != 9 || chdir("/") != 0 || getcwd(NULL, 10) == NULL;
}

int main(void) {
    int status = copy() + copy_more();
    forget();
    return status;
}
