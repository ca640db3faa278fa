// Code that call-frame information does not cover.
#pragma once
#include <stdint.h>

#include "native/unwind/elf_image.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

// One step through code without call-frame information that no .NET runtime answers for (managed_code.h): hand-written
// assembly and other just-in-time compilers' code. Trusts RBP as the psABI's frame pointer if the words it leads to can
// be a frame. False when they cannot.
bool step_uncovered(Registers* frame, StackWindow& window);

// Whether a return to pc is the kernel's way back from a signal handler: `mov $15, %rax; syscall` (rt_sigreturn).
bool is_signal_return(const ElfImage& image, uintptr_t pc);

// Whether a return to pc enters a described function at its first byte and no call stands before it: a return address
// planted by hand.
bool is_planted(const ElfImage& image, uintptr_t pc);

// Whether nobody called the code that a return to pc would enter, although no description covers pc - 1:
// - it is what the kernel or the loader jumps to, _start of the program or of the dynamic loader;
// - pc is planted, as makecontext plants glibc's __start_context;
// - it is where musl starts the program or a thread.
bool is_root(const ElfImage& image, uintptr_t pc);

}  // namespace nh::unwind
