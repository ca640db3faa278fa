// uncovered.h for aarch64.
#include "native/unwind/rows.h"
#include "native/unwind/uncovered.h"

namespace nh::unwind {
namespace {

constexpr uintptr_t instruction_bytes = 4;
constexpr uint32_t most_stub_instructions = 5;

uint32_t instruction_at(uintptr_t address) {
    return *reinterpret_cast<const uint32_t*>(address);
}

// `stp x16, x30, [sp, #-16]!`: the first instruction of the stub that all lazily bound ones jump to.
bool is_push_of_link(uint32_t instruction) {
    return instruction == 0xA9BF7BF0;
}

// `br x17` ends every stub.
bool ends_stub(uint32_t instruction) {
    return instruction == 0xD61F0220;
}

// What stands between: bti c; adrp x16; ldr x17, [x16, #]; add x16, x16, #; autia1716; nop.
bool is_in_stub(uint32_t instruction) {
    return instruction == 0xD503245F || (instruction & 0x9F00001F) == 0x90000010 ||
           (instruction & 0xFFC003FF) == 0xF9400211 || (instruction & 0xFFC003FF) == 0x91000210 ||
           instruction == 0xD503219F || instruction == 0xD503201F;
}

// The caller's stack pointer. An undescribed frame's record may lie anywhere in it, so where the frame ends is not
// known; but the caller's own record is at `fp`, and its call-frame information says where in its frame that is.
uintptr_t sp_by_record(uintptr_t pc, uintptr_t fp, uintptr_t least) {
    const Row row = find_row(pc);
    if (!row.is_compact() || row.fp_offset() == Row::fp_unchanged) {
        return least;
    }
    const uintptr_t cfa = fp - static_cast<uintptr_t>(row.fp_offset());
    const uintptr_t sp = row.kind() == RowKind::from_sp ? cfa - static_cast<uintptr_t>(row.cfa_offset()) : least;
    return sp >= least && sp <= fp ? sp : least;
}

}  // namespace

bool hands_result_to_exit(const ElfImage&, uintptr_t) {
    return false;  // musl is not known here
}

bool step_uncovered(Registers* frame, StackWindow& window) {
    const uintptr_t fp = frame->fp;
    if ((fp & 7) != 0 || !window.above(fp, frame->sp) || !window.readable(fp + sizeof(uintptr_t))) {
        return false;
    }
    auto words = reinterpret_cast<const uintptr_t*>(fp);
    const uintptr_t pc = stripped(words[1]);
    const uintptr_t least = fp + 2 * sizeof(uintptr_t);
    const bool leads_on = is_code_address(pc) && words[0] >= least;
    *frame = {pc, leads_on ? sp_by_record(pc, words[0], least) : least, words[0]};
    return true;
}

// The linker describes no stub; a signal handler may interrupt one.
Row undescribed_row(const ElfImage& image, uintptr_t pc) {
    const bool interrupted = (pc & (instruction_bytes - 1)) == 1;
    uintptr_t at = pc - 1;
    if (!interrupted || image.segment_end(at) < at + most_stub_instructions * instruction_bytes) {
        return Row(RowKind::uncovered);
    }
    if (is_push_of_link(instruction_at(at))) {
        return Row(RowKind::from_link);
    }
    uint32_t left = most_stub_instructions;
    for (; left != 0 && is_in_stub(instruction_at(at)); --left) {
        at += instruction_bytes;
    }
    if (left == 0 || !ends_stub(instruction_at(at))) {
        return Row(RowKind::uncovered);
    }
    // The push may have been before it.
    at = pc - 1;
    for (uint32_t back = 0; back < most_stub_instructions; ++back) {
        at -= instruction_bytes;
        if (image.segment_end(at) == 0 || !is_in_stub(instruction_at(at))) {
            break;
        }
    }
    const bool pushed = image.segment_end(at) != 0 && is_push_of_link(instruction_at(at));
    return Row(RowKind::from_link, pushed ? 16 : 0);
}

}  // namespace nh::unwind
