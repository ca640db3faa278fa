#include "native/unwind/rows.h"

#include <string.h>
#include <sys/mman.h>

namespace nh::unwind {

RowSet* row_sets;
uint32_t row_epoch;

bool open_rows() {
    void* memory =
        mmap(nullptr, sizeof(RowSet) << row_set_bits, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    row_sets = static_cast<RowSet*>(memory);
    return true;
}

void forget_rows() {
    if ((__atomic_add_fetch(&row_epoch, 1, __ATOMIC_ACQ_REL) & 0xFFFF) != 0) {
        return;
    }
    // The tag holds 16 bits of the epoch: when they come round, rows of the first epochs must really be gone.
    for (uint32_t i = 0; i < 1u << row_set_bits; ++i) {
        for (RowEntry& entry : row_sets[i].entries) {
            __atomic_store_n(&entry.tag, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&entry.row, 0, __ATOMIC_RELAXED);
        }
    }
}

Row compile_and_keep(uintptr_t pc, uint32_t epoch) {
    bool keep = false;
    const Row row = compile_row(pc, &keep);
    // Compiling may have noticed that a module went: then the row is of the new epoch, and the next miss keeps it.
    if (!keep || epoch != __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE)) {
        return row;
    }
    RowSet& set = row_set(pc);
    // Free places first, then one chosen by the address: two hot rows of a full set seldom chase each other.
    RowEntry* place = &set.entries[(pc >> 3 ^ pc >> 9) & 3];
    for (RowEntry& entry : set.entries) {
        const uint64_t kept = row_tag(__atomic_load_n(&entry.tag, __ATOMIC_RELAXED), 0, entry.row);
        if (kept == 0 || kept >> 48 != (epoch & 0xFFFF)) {
            place = &entry;
            break;
        }
    }
    __atomic_store_n(&place->row, row.bits(), __ATOMIC_RELAXED);
    __atomic_store_n(&place->tag, row_tag(pc, epoch, row.bits()), __ATOMIC_RELAXED);
    return row;
}

}  // namespace nh::unwind
