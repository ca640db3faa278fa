// Rows of code that a .NET runtime frees when it is on no stack (DynamicMethods, assemblies that can be unloaded), so
// that other code may later stand at the same address, with another frame and another name.
#pragma once
#include <stdint.h>

#include "native/unwind/rows.h"
#include "native/unwind/unwinder.h"
#include "native/wire/wire.h"

namespace nh::unwind {

struct ReusedRow {
    Row row;
    uint32_t epoch;  // from 1, and more when the code at this address was seen to be other code than before; 0 for
                     // code that stays; at most last_reuse_epoch

    // As it goes into a node of the tree.
    uintptr_t tagged(uintptr_t pc) const { return pc | uintptr_t{epoch} << wire::reuse_epoch_shift; }
};

// Maps the table (3 MiB of address space, touched where used). Call once, when a runtime was met; without memory each
// use describes the code anew, and epochs stay 1.
void open_reused_rows();

// Where each epoch's beginning is told. Call once, before the first row is looked for.
void tell_reused_code(const ReusedCodeTable& table);

// Forgets what has been told, so that it is told anew in that table.
void retell_reused_code(const ReusedCodeTable& table);

void reused_code_after_fork(uint32_t slot);

// The row for a return address whose kept row is `collectible`. Each use asks whether the code is still what it was: by
// its header, unwind information, first 1,024 bytes and, of a DynamicMethod, name. Takes 2 to 3 us. Lock-free.
ReusedRow find_reused_row(uintptr_t pc);

// For tests: which of the table's sets, of 4 entries each, the return address belongs to.
uint32_t reused_row_set(uintptr_t pc);

}  // namespace nh::unwind
