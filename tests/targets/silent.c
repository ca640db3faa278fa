// Hazard: a program that never allocates, so that the shim has nothing to say hello for. silent [CODE]
// Starts CODE by exec when it is a path, else exits with it.
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc > 1 && argv[1][0] == '/') {
        execv(argv[1], argv + 1);
        return 126;
    }
    return argc > 1 ? argv[1][0] - '0' : 0;
}
