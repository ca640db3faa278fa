// suppress [bad]: loses 100 bytes that its own __lsan_default_suppressions calls known, and 30 that nobody does, and
// the same again in a child. The function is not shown to libraries, as in any program that is linked without
// -rdynamic. With "bad" some of its lines are, and the text is longer than is read.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int initialised;
static int is_bad;

__attribute__((constructor)) static void initialise(int argc, char** argv) {
    initialised = 1;
    is_bad = argc > 1 && strcmp(argv[1], "bad") == 0;
}

__attribute__((noinline)) static void lose_known(void) {
    calloc(1, 100);
}

__attribute__((noinline)) static void lose_other(void) {
    calloc(1, 30);
}

// More than 65,536 bytes: what stands at the end does not count.
static const char* make_bad(void) {
    static const char bad[] =
        "# ours\nleek:lose_other\n{\n name\n Memcheck:Leak\n nonsense\n}\nleak:^lose_known$\nleak:\n";
    static const char last[] = "leak:^lose_other$\n";
    static char text[70000];
    memset(text, '\n', sizeof text);
    memcpy(text, bad, sizeof bad - 1);
    memcpy(text + sizeof text - sizeof last, last, sizeof last);
    return text;
}

const char* __lsan_default_suppressions(void);
const char* __lsan_default_suppressions(void) {
    errno = EBADF;
    if (!initialised)
        abort();
    return is_bad ? make_bad() : "leak:nobody\n# of ours\nleak:^lose_known$\n";
}

static void overwrite(void) {
    volatile char dead[16384];
    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = 0;
}

static void lose(void) {
    lose_known();
    lose_other();
    overwrite();
}

int main(void) {
    int before = errno;
    lose();
    if (fork() == 0) {
        lose();
        return 0;
    }
    wait(NULL);
    return before;
}
