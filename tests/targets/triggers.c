// Hazard: a profiler that stands in for a signal. Each byte of standard input is a step; the file that is named gets
// one byte for each that is done. The steps:
//   b  2 MiB more, written to and kept
//   B  64 MiB more
//   u  raises SIGUSR2; the answer is 'u', or 'o' when the program's own handler ran
//   q  asks what SIGUSR2 does: the answer is 'd' for the default, 'o' for the program's own handler, else 'x'
//   o  installs its own handler
//   d  goes back to the default
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t own_calls;

static void own(int number) {
    (void)number;
    own_calls = own_calls + 1;
}

static void* kept[64];
static int kept_count;

__attribute__((noinline)) static void keep(size_t bytes) {
    void* block = malloc(bytes);
    memset(block, 1, bytes);
    kept[kept_count++ % 64] = block;
}

static char action(void) {
    struct sigaction now;
    if (sigaction(SIGUSR2, NULL, &now) != 0) {
        return 'x';
    }
    return now.sa_handler == SIG_DFL ? 'd' : now.sa_handler == own ? 'o' : 'x';
}

int main(int argc, char** argv) {
    int done = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    if (done < 0) {
        return 2;
    }
    char step;
    while (read(0, &step, 1) == 1) {
        int calls = own_calls;
        char answer = step;
        switch (step) {
            case 'b':
                keep(2 << 20);
                break;
            case 'B':
                keep(64 << 20);
                break;
            case 'u':
                raise(SIGUSR2);
                answer = own_calls != calls ? 'o' : 'u';
                break;
            case 'q':
                answer = action();
                break;
            case 'o':
                answer = signal(SIGUSR2, own) == SIG_DFL ? 'o' : 'x';
                break;
            case 'd':
                answer = signal(SIGUSR2, SIG_DFL) == own ? 'd' : 'x';
                break;
            default:
                return 3;
        }
        if (write(done, &answer, 1) != 1) {
            return 4;
        }
    }
    return 0;
}
