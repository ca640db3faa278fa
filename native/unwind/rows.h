// Compact call-frame rows and the cache that keeps them by return address.
#pragma once
#include <stdint.h>

#include "native/unwind/architecture.h"

namespace nh::unwind {

enum class RowKind : uint8_t {
    uncovered,     // no call-frame information
    from_sp,       // CFA = SP + cfa_offset, return address at CFA + return_offset
    from_fp,       // CFA = frame pointer + cfa_offset
    from_fp_word,  // CFA = the word at frame pointer + cfa_offset (realigned frames, GCC's DRAP)
    signal,        // the kernel's signal frame: all registers are in it
    outermost,     // the return address is undefined: nobody called this
    exact,         // needs other registers or an expression: exact_walk
    broken,        // the information cannot be understood
    collectible,   // code that a .NET runtime may replace: ask find_reused_row
    hijacked,      // a .NET runtime planted this return address (hijack.h)
    from_link,     // as from_sp, but the return address is still in the link register (aarch64)
};

// One 64-bit word, so that it can be stored and loaded whole: kind in bits 0-3, offsets as RowLayout has them.
class Row {
  public:
    static constexpr int32_t fp_unchanged = 0;
    static constexpr int32_t fp_at_fp = 1;  // the caller's RBP is at [RBP], whatever the CFA is
    static constexpr int64_t most_cfa_offset = RowLayout::most_cfa_offset;
    static constexpr int32_t usual_return_offset = -static_cast<int32_t>(sizeof(uintptr_t));

    constexpr Row() : bits_(0) {}
    constexpr explicit Row(uint64_t bits) : bits_(bits) {}
    constexpr Row(RowKind kind, int32_t cfa_offset = 0, int32_t fp_offset = fp_unchanged,
                  int32_t return_offset = usual_return_offset)
        : bits_(static_cast<uint64_t>(kind) | RowLayout::pack(cfa_offset, fp_offset, return_offset)) {}

    RowKind kind() const { return static_cast<RowKind>(bits_ & 0xF); }
    // Whether the row alone tells the step: from_sp or from_fp.
    bool is_compact() const { return kind() == RowKind::from_sp || kind() == RowKind::from_fp; }
    intptr_t cfa_offset() const { return RowLayout::cfa_offset(bits_); }
    // Where the caller's frame pointer was saved, relative to the CFA; or one of the two values above.
    intptr_t fp_offset() const { return RowLayout::fp_offset(bits_); }
    // Where the return address was saved, relative to the CFA.
    intptr_t return_offset() const { return RowLayout::return_offset(bits_); }
    uint64_t bits() const { return bits_; }

  private:
    uint64_t bits_;
};

struct FrameRules;

// The row for rules that hold before the instruction at pc; `limit` is where the expressions they name end. `exact`
// when a row cannot express them.
Row compact(const FrameRules& rules, uintptr_t pc, uintptr_t limit);

// Compiles the row for a stored pc (see wire::node: pc - 1 lies in the instruction). Sets *keep when the row may be
// cached, that is, when its module is one whose unloading will be noticed. Takes 0.5 to a few microseconds.
Row compile_row(uintptr_t pc, bool* keep);
// The same for a pc that no .NET runtime planted.
Row compile_described_row(uintptr_t pc, bool* keep);

// Lock-free and bounded: 16,384 sets of 4 rows, a set a cache line. Forgetting all rows is one addition.
struct RowEntry {
    uint64_t tag, row;
};
struct alignas(64) RowSet {
    RowEntry entries[4];
};
inline constexpr uint32_t row_set_bits = 14;
extern RowSet* row_sets __attribute__((visibility("hidden")));
extern uint32_t row_epoch __attribute__((visibility("hidden")));  // atomic; 0 to 65,535

bool open_rows();
void forget_rows();
Row compile_and_keep(uintptr_t pc, uint32_t epoch);

inline RowSet& row_set(uintptr_t pc) {
    return row_sets[(pc * 0x9E3779B97F4A7C15) >> (64 - row_set_bits)];
}

// Ties the two words of an entry together: a reader that sees halves of two writes finds no match.
inline uint64_t row_tag(uintptr_t pc, uint32_t epoch, uint64_t row) {
    return pc ^ (uint64_t{epoch} << 48) ^ (row * 0xD6E8FEB86659FD93);
}

// The row of the cache; false when there is none.
inline bool look_up_row(uintptr_t pc, uint32_t epoch, Row* found) {
    const RowSet& set = row_set(pc);
    for (const RowEntry& entry : set.entries) {
        const uint64_t row = __atomic_load_n(&entry.row, __ATOMIC_RELAXED);
        if (__atomic_load_n(&entry.tag, __ATOMIC_RELAXED) == row_tag(pc, epoch, row)) [[likely]] {
            *found = Row(row);
            return true;
        }
    }
    return false;
}

inline Row find_row(uintptr_t pc) {
    const uint32_t epoch = __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE);
    Row row;
    return look_up_row(pc, epoch, &row) ? row : compile_and_keep(pc, epoch);
}

// A row that stays as it is until row_epoch changes; false when this place has none.
inline bool find_kept_row(uintptr_t pc, Row* row) {
    const uint32_t epoch = __atomic_load_n(&row_epoch, __ATOMIC_ACQUIRE);
    if (look_up_row(pc, epoch, row)) [[likely]] {
        return true;
    }
    compile_and_keep(pc, epoch);
    return look_up_row(pc, epoch, row);
}

}  // namespace nh::unwind
