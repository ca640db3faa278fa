// Where this library's own code is.
#pragma once
#include <stddef.h>
#include <stdint.h>

extern "C" {
__attribute__((visibility("hidden"))) extern const char __ehdr_start[];
__attribute__((visibility("hidden"))) extern const char __etext[];
}

namespace nh::process {

inline uintptr_t own_code_start() {
    return reinterpret_cast<uintptr_t>(__ehdr_start);
}

// Up to and with the return address of a call that is the last instruction.
inline size_t own_code_bytes() {
    return reinterpret_cast<uintptr_t>(__etext) - own_code_start() + 1;
}

}  // namespace nh::process
