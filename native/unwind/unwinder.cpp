#include "native/unwind/unwinder.h"

#include "native/unwind/exact_walk.h"
#include "native/unwind/hijack.h"
#include "native/unwind/known_runtime.h"
#include "native/unwind/loader_view.h"
#include "native/unwind/modules.h"
#include "native/unwind/reused_code.h"
#include "native/unwind/rows.h"
#include "native/unwind/signal_frame.h"
#include "native/unwind/stack_window.h"
#include "native/unwind/uncovered.h"

namespace nh::unwind {
namespace {

uintptr_t word_at(uintptr_t address) {
    return *reinterpret_cast<const uintptr_t*>(address);
}

// From a frame to its caller by a compact row. False when the row leads out of the stack.
[[gnu::always_inline]] inline bool step_by_row(Row row, uintptr_t cfa, Registers* frame, StackWindow& window) {
    const uintptr_t return_slot = cfa + static_cast<uintptr_t>(row.return_offset());
    if (!window.above(return_slot, frame->sp)) [[unlikely]] {
        return false;
    }
    const intptr_t fp_offset = row.fp_offset();
    if (fp_offset != Row::fp_unchanged) {
        const uintptr_t slot = fp_offset == Row::fp_at_fp ? frame->fp : cfa + static_cast<uintptr_t>(fp_offset);
        if (!window.readable(slot)) [[unlikely]] {
            return false;
        }
        frame->fp = word_at(slot);
    }
    frame->pc = stripped(word_at(return_slot));
    frame->sp = cfa;
    frame->link = {};
    return true;
}

[[gnu::always_inline]] inline bool step_compactly(Row row, Registers* frame, StackWindow& window) {
    const uintptr_t base = row.kind() == RowKind::from_sp ? frame->sp : frame->fp;
    return step_by_row(row, base + static_cast<uintptr_t>(row.cfa_offset()), frame, window);
}

// Where code was interrupted that has not stored its return address: nothing but the frame pointer is read.
bool step_by_link(Row row, Registers* frame, StackWindow& window) {
    const uintptr_t cfa = frame->sp + static_cast<uintptr_t>(row.cfa_offset());
    const uintptr_t slot = cfa + static_cast<uintptr_t>(row.fp_offset());
    const bool fp_unchanged = row.fp_offset() == Row::fp_unchanged;
    if (!frame->link.is_known || cfa < frame->sp || (!fp_unchanged && !window.readable(slot))) {
        return false;
    }
    *frame = {frame->link.value, cfa, fp_unchanged ? frame->fp : word_at(slot)};
    return true;
}

// The row of a frame that a .NET runtime has a say in. Stores the return address as it is to be recorded: the true one,
// with its reuse epoch.
Row settle(Row row, Registers* frame, StackWindow& window, uintptr_t* stored) {
    if (row.kind() == RowKind::hijacked) {
        const uintptr_t slot = frame->sp - sizeof(uintptr_t);
        bool keep;
        if (!window.readable(slot) || word_at(slot) != frame->pc) {
            return compile_described_row(frame->pc, &keep);  // interrupted in front of such a function
        }
        const uintptr_t true_pc = hijacked_return_address(slot);
        if (true_pc == 0) {
            return row;
        }
        frame->pc = *stored = true_pc;
        row = find_row(true_pc);
    }
    if (row.kind() == RowKind::collectible) {
        const ReusedRow now = find_reused_row(frame->pc);
        *stored = now.tagged(frame->pc);
        row = now.row;
    }
    return row;
}

// Whatever is no compact row; `stored` is the frame's recorded return address. Step::exact: ask exact_walk.
[[gnu::noinline]] Step step_rarely(Row row, Registers* frame, StackWindow& window, uintptr_t* stored) {
    bool moved = false;
    row = settle(row, frame, window, stored);
    switch (row.kind()) {
        case RowKind::from_sp:
        case RowKind::from_fp:
            moved = step_compactly(row, frame, window);
            break;
        case RowKind::outermost:
            return Step::root;  // in a place that other code had
        case RowKind::exact:
            return Step::exact;
        case RowKind::from_fp_word: {
            const uintptr_t slot = frame->fp + static_cast<uintptr_t>(row.cfa_offset());
            moved = window.readable(slot) && step_by_row(row, word_at(slot), frame, window);
            break;
        }
        case RowKind::from_link:
            moved = step_by_link(row, frame, window);
            break;
        case RowKind::signal:
            moved = leave_signal_frame(frame, window);
            break;
        case RowKind::uncovered:
            return step_uncovered(frame, window) ? Step::guessed : Step::lost;
        default:
            break;
    }
    return moved ? Step::moved : Step::lost;
}

// While a walk goes on: it guessed where a .NET runtime that was not known yet may know better.
constexpr auto guessed_blindly = static_cast<StackEnd>(0x10);
constexpr auto lost_blindly = static_cast<StackEnd>(0x11);

StackEnd lost_after(StackEnd so_far) {
    return so_far == guessed_blindly ? lost_blindly : StackEnd::lost;
}

}  // namespace

bool initialise(const ModuleTable& modules, const ReusedCodeTable& reused) {
    if (row_sets != nullptr) {
        retell_reused_code(reused);
        return retell_modules(modules);
    }
    learn_main_stack();
    tell_reused_code(reused);
    return open_loader_view() && open_rows() && open_modules(modules);
}

void after_fork(uint32_t slot) {
    modules_after_fork(slot);
    reused_code_after_fork(slot);
}

uint32_t walk(const Registers& at, StackBounds& bounds, uintptr_t* pcs, uint32_t capacity, StackEnd* end) {
    StackWindow window(bounds);
    window.enter(at.sp, false);
    Registers frame = at;
    uint32_t count = 0;
    *end = StackEnd::root;  // until something on the way says otherwise
    for (;;) {
        if (!is_code_address(frame.pc)) [[unlikely]] {
            // A return address of zero is how makers of stacks without call-frame information end them.
            *end = frame.pc == 0 ? *end : lost_after(*end);
            break;
        }
        if (count == capacity) [[unlikely]] {
            *end = StackEnd::depth_limit;
            return count;
        }
        pcs[count++] = frame.pc;
        const Row row = find_row(frame.pc);
        if (row.is_compact()) [[likely]] {
            if (!step_compactly(row, &frame, window)) [[unlikely]] {
                *end = lost_after(*end);
                break;
            }
            continue;
        }
        if (row.kind() == RowKind::outermost) [[likely]] {
            break;
        }
        const Step step = step_rarely(row, &frame, window, &pcs[count - 1]);
        if (step == Step::exact) {
            const uint32_t exact_count = exact_walk(at, window, pcs, capacity, end);
            return exact_count != 0 ? exact_count : count;  // 0: `at` was not found on this stack, and *end is lost
        }
        if (step == Step::guessed) {
            *end = known_runtime() == nullptr ? guessed_blindly : *end == StackEnd::root ? StackEnd::guessed : *end;
        } else if (step != Step::moved) {
            *end = step == Step::root ? *end : lost_after(*end);
            break;
        }
    }
    if (*end < guessed_blindly) [[likely]] {
        return count;
    }
    if (known_runtime() != nullptr) {  // the outer frames were the first to show it
        return walk(at, bounds, pcs, capacity, end);
    }
    *end = *end == lost_blindly ? StackEnd::lost : StackEnd::guessed;
    return count;
}

}  // namespace nh::unwind
