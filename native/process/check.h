// Has the collector look at this process's heap before it goes on to its end, or to another program.
#pragma once
#include "native/wire/wire.h"

namespace nh::process {

// Whether somebody checks this process's heap for that reason.
bool checks(wire::check_reason reason);

// Returns when the collector has looked, or will not. For the function that ends the process to call: what lies below
// is dead. Keeps errno. No system call but futex; does nothing where nobody checks heaps, in a vfork child, and in a
// process that does not record.
void await_check(wire::check_reason reason);

// The answer to what a program asks for itself.
struct CheckAnswer {
    uint64_t sums[8];  // bytes and blocks: definite, indirect, possible, reachable
    uint32_t exit_code;
};

// Has the collector do what the reason says. stack: everything below it is dead. False: nobody did it. Keeps errno.
bool ask(wire::check_reason reason, const char* name, uintptr_t stack, CheckAnswer* answer);

}  // namespace nh::process
