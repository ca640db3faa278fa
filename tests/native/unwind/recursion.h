// Calls of several shapes, in files of their own because their compiler options differ.
#pragma once
#include <setjmp.h>
#include <stddef.h>

namespace nh::unwind::test {

void recurse_with_frame_pointer(int levels, void (*then)());
void recurse_without_frame_pointer(int levels, void (*then)());
void recurse_mixed(int levels, void (*then)());
void with_variable_frame(size_t bytes, void (*then)());
[[noreturn]] void jump_from_depth(int levels, jmp_buf place, int value);

}  // namespace nh::unwind::test
