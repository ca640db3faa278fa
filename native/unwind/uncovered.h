// Code that call-frame information does not cover.
#pragma once
#include <stdint.h>

#include "native/unwind/elf_image.h"
#include "native/unwind/rows.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/unwinder.h"

namespace nh::unwind {

// One step through code without call-frame information that no .NET runtime answers for (managed_code.h): hand-written
// assembly and other just-in-time compilers' code. Trusts the psABI's frame pointer if the words it leads to can
// be a frame. False when they cannot.
bool step_uncovered(Registers* frame, StackWindow& window);

// Whether a return to pc is the kernel's way back from a signal handler (rt_sigreturn).
bool is_signal_return(const ElfImage& image, uintptr_t pc);
// The same where no module is mapped.
bool is_bare_signal_return(uintptr_t pc);

// The row for a pc that no description covers: of a linker's stub where stubs have none (aarch64), else `uncovered`.
Row undescribed_row(const ElfImage& image, uintptr_t pc);

// Whether a return to pc enters a described function at its first byte and no call stands before it: a return address
// planted by hand.
bool is_planted(const ElfImage& image, uintptr_t pc);

// Whether a return to pc hands what came back to exit or pthread_exit: how musl, which has no call-frame information,
// starts a program or a thread.
bool hands_result_to_exit(const ElfImage& image, uintptr_t pc);

// Whether nobody called the code that a return to pc would enter, although no description covers pc - 1:
// - it is what the kernel or the loader jumps to, _start of the program or of the dynamic loader;
// - pc is planted, as makecontext plants glibc's __start_context;
// - it is where musl starts the program or a thread.
bool is_root(const ElfImage& image, uintptr_t pc);

}  // namespace nh::unwind
