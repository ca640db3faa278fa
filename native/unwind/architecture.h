// What differs from one processor to another: registers, where a return address is, how the kernel is called. The two
// headers below define the same names, which all other code of the shim goes by:
//
//   RegisterNumber, register_count   DWARF's numbers, as far as a walk follows them
//   stack_pointer, frame_pointer     of these
//   return_register                  whose rule in call-frame information tells the return address
//   program_counter                  where RegisterFile keeps the pc
//   RegisterSet, callee_saved        a bit a register; those that keep their value over a call
//   preserved_at_interrupt           and which are known, beside them, where code was interrupted
//   reads_managed_code               whether a .NET runtime's tables are read
//   may_be_emulated                  whether the kernel may be an emulator's
//   Link                             the return address that no memory holds yet
//   ReturnSlot                       where in a frame the return address was read
//   RowLayout                        how a row's offsets share a word
//   stripped()                       a return address without what a signature put into it
//   mcontext_offset, _words, _place  the kernel's signal frame, seen from a handler's return
//   code_address_bits                of a pc of the process
//   is_call_before(), ...            what machine code says of a place that nothing describes
//   system_call()                    without libc: a result, or a negative error number; leaves errno alone
#pragma once

#if defined(__x86_64__)
#include "native/unwind/x86_64.h"
#elif defined(__aarch64__)
#include "native/unwind/aarch64.h"
#else
#error "the shim walks stacks of x86-64 and aarch64 alone"
#endif
