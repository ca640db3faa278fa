// The environment holds what putenv was given; setenv's copies belong to libc.
// leaks: reachable */*
#include <stdio.h>

#include "leaks.h"

APART static int put(void) {
    char* text = (char*)make(100);
    strcpy(text, "NAME=value");
    return putenv(text) + setenv("OTHER", "value", 1);
}

int main(void) {
    int status = put();
    forget();
    return status;
}
