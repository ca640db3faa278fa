// A library that is loaded where another one was. Built twice with another frame size (FRAME): the functions lie at
// the same addresses in both files, so a call-frame row kept from the one is wrong in the other.
#ifndef FRAME
#define FRAME 64
#endif

#define CALL(name)                                         \
    __attribute__((noinline)) void name(void (*f)(void)) { \
        volatile char block[FRAME];                        \
        block[0] = 1;                                      \
        f();                                               \
        block[1] = block[0];                               \
    }

CALL(call_first)
CALL(call_second)
