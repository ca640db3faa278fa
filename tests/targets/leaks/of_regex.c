// A compiled expression that is held, and one that is not: regex_t holds two blocks, and one of them the rest.
// leaks: definite */2, indirect */*, reachable */*
#include <regex.h>

#include "leaks.h"

regex_t held;

APART static int compile(void) {
    regex_t lost;
    return regcomp(&lost, "a(b|c)*d[e-g]+", REG_EXTENDED) + regcomp(&held, "a(b|c)*d[e-g]+", REG_EXTENDED);
}

int main(void) {
    int status = compile();
    forget();
    return status;
}
