#include "native/unwind/windows_unwind.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_chained = 32;
constexpr uint32_t most_slots = 255;  // the count is a byte
constexpr int64_t most_frame = int64_t{1} << 31;
constexpr uint8_t chained_flag = 4;
constexpr uint32_t head_bytes = 4;

enum Operation : uint8_t {
    push_nonvolatile,
    allocate_large,
    allocate_small,
    set_frame_register,
    save_nonvolatile,
    save_nonvolatile_far,
    epilogue,  // of version 2, says nothing about the prologue
    spare,
    save_xmm,
    save_xmm_far,
    push_machine_frame,
    set_frame_register_large,
};

// Windows numbers registers as instructions do.
constexpr uint8_t dwarf_number[16] = {rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15};

// UNWIND_INFO with its codes: of each slot, byte 0 is the offset of the prologue's next instruction, byte 1 operation
// and operand; further slots of an operation are numbers.
struct UnwindInfo {
    uint8_t version_flags;
    uint8_t prologue_bytes;
    uint8_t slot_count;
    uint8_t frame;  // register, scaled offset
    uint16_t slots[most_slots + 1];
};

// An address that is the value of a register plus a number.
struct Place {
    uint8_t base;
    int64_t offset;
};

bool is_chained(const UnwindInfo& info) {
    return (info.version_flags >> 3 & chained_flag) != 0;
}

uint32_t slots_of(uint8_t operation, uint8_t operand) {
    switch (operation) {
        case allocate_large:
            return operand == 0 ? 2 : 3;
        case save_nonvolatile:
        case epilogue:
        case save_xmm:
            return 2;
        case save_nonvolatile_far:
        case spare:
        case save_xmm_far:
        case set_frame_register_large:
            return 3;
        default:
            return 1;
    }
}

// Undoes a prologue, last instruction first.
class Unwinding {
  public:
    // What saves are relative to: the frame register's value less its offset once that is set, else the stack pointer.
    // Of chained information the innermost decides.
    void begin(const UnwindInfo& info, uint32_t executed) {
        const bool set = (info.frame & 0xF) != 0 &&
                         (executed >= info.prologue_bytes || is_chained(info) || executed >= frame_set_at(info));
        frame_ = set ? frame_base(info) : sp_;
    }

    // The codes of instructions that end within the first `executed` bytes.
    bool undo(const UnwindInfo& info, uint32_t executed) {
        for (uint32_t at = 0; at < info.slot_count;) {
            const auto operation = static_cast<uint8_t>(info.slots[at] >> 8 & 0xF);
            const auto operand = static_cast<uint8_t>(info.slots[at] >> 12);
            const uint32_t slots = slots_of(operation, operand);
            if (slots > info.slot_count - at) {
                return false;
            }
            if (executed >= (info.slots[at] & 0xFFu) && !undo_one(info, operation, operand, &info.slots[at])) {
                return false;
            }
            at += slots;
        }
        return true;
    }

    bool finish(FrameRules* rules) const {
        const int64_t cfa = sp_.offset + static_cast<int64_t>(sizeof(uintptr_t));
        if (cfa <= -most_frame || cfa >= most_frame) {
            return false;
        }
        *rules = {};
        rules->cfa_register = sp_.base;
        rules->cfa_offset = cfa;
        rules->kind[rip] = RuleKind::at_offset;
        rules->value[rip] = -static_cast<int64_t>(sizeof(uintptr_t));
        for (uint32_t number = 0; number < rip; ++number) {
            if ((saved_ >> number & 1) == 0) {
                continue;
            }
            // Saved at a distance from one register while the frame's end is known from another.
            const bool placed = places_[number].base == sp_.base;
            if (!placed && number == rbp) {
                return false;
            }
            rules->kind[number] = placed ? RuleKind::at_offset : RuleKind::undefined;
            rules->value[number] = places_[number].offset - cfa;
        }
        return true;
    }

  private:
    static uint32_t number_at(const uint16_t* slot) { return slot[0] | static_cast<uint32_t>(slot[1]) << 16; }

    // The prologue offset behind the instruction that sets the frame register; beyond every offset when none does.
    static uint32_t frame_set_at(const UnwindInfo& info) {
        for (uint32_t at = 0; at < info.slot_count;) {
            const auto operation = static_cast<uint8_t>(info.slots[at] >> 8 & 0xF);
            if (operation == set_frame_register || operation == set_frame_register_large) {
                return info.slots[at] & 0xFF;
            }
            at += slots_of(operation, static_cast<uint8_t>(info.slots[at] >> 12));
        }
        return ~0u;
    }

    static Place frame_base(const UnwindInfo& info) {
        int64_t scaled = info.frame >> 4;
        for (uint32_t at = 0; at + 2 < info.slot_count;) {
            const auto operation = static_cast<uint8_t>(info.slots[at] >> 8 & 0xF);
            if (operation == set_frame_register_large) {
                scaled = number_at(&info.slots[at + 1]);
                break;
            }
            at += slots_of(operation, static_cast<uint8_t>(info.slots[at] >> 12));
        }
        return {dwarf_number[info.frame & 0xF], -16 * scaled};
    }

    void save(uint8_t operand, Place place) {
        places_[dwarf_number[operand]] = place;
        saved_ |= 1u << dwarf_number[operand];
    }

    bool undo_one(const UnwindInfo& info, uint8_t operation, uint8_t operand, const uint16_t* slot) {
        switch (operation) {
            case push_nonvolatile:
                save(operand, sp_);
                sp_.offset += 8;
                break;
            case allocate_large:
                sp_.offset += operand == 0 ? int64_t{8} * slot[1] : int64_t{number_at(slot + 1)};
                break;
            case allocate_small:
                sp_.offset += 8 * operand + 8;
                break;
            case set_frame_register:
            case set_frame_register_large:
                if ((info.frame & 0xF) == 0) {
                    return false;
                }
                sp_ = frame_base(info);
                break;
            case save_nonvolatile:
                save(operand, {frame_.base, frame_.offset + int64_t{8} * slot[1]});
                break;
            case save_nonvolatile_far:
                save(operand, {frame_.base, frame_.offset + int64_t{number_at(slot + 1)}});
                break;
            case epilogue:
            case save_xmm:
            case save_xmm_far:
                break;
            default:
                return false;
        }
        return sp_.offset > -most_frame && sp_.offset < most_frame;
    }

    Place sp_ = {rsp, 0};
    Place frame_ = {rsp, 0};
    Place places_[register_count] = {};
    uint32_t saved_ = 0;
};

bool read_info(CarefulReader& reader, uintptr_t address, UnwindInfo* info) {
    if (!reader.read(address, info, head_bytes)) {
        return false;
    }
    const uint8_t version = info->version_flags & 7;
    return (version == 1 || version == 2) &&
           (info->slot_count == 0 ||
            reader.read(address + head_bytes, info->slots, info->slot_count * sizeof(uint16_t)));
}

}  // namespace

uint32_t windows_unwind_bytes(CarefulReader& reader, uintptr_t address) {
    UnwindInfo info;
    return reader.read(address, &info, head_bytes) ? head_bytes + info.slot_count * 2u : 0;
}

bool run_windows_unwind(CarefulReader& reader, uintptr_t base, RuntimeFunction function, uintptr_t instruction,
                        FrameRules* rules) {
    Unwinding unwinding;
    for (uint32_t chained = 0; chained <= most_chained; ++chained) {
        UnwindInfo info;
        const uintptr_t address = base + function.unwind_info;
        const auto executed = static_cast<uint32_t>(instruction - (base + function.begin));
        if (!read_info(reader, address, &info)) {
            return false;
        }
        if (chained == 0) {
            unwinding.begin(info, executed);
        }
        if (!unwinding.undo(info, executed)) {
            return false;
        }
        if (!is_chained(info)) {
            return unwinding.finish(rules);
        }
        const uintptr_t behind = address + head_bytes + 2 * ((info.slot_count + 1u) & ~1u);
        if (!reader.read(behind, &function, sizeof(function))) {
            return false;
        }
    }
    return false;
}

}  // namespace nh::unwind
