#include "native/unwind/exact_walk.h"

#include "native/unwind/call_frames.h"
#include "native/unwind/hijack.h"
#include "native/unwind/known_runtime.h"
#include "native/unwind/managed_code.h"
#include "native/unwind/modules.h"
#include "native/unwind/reused_code.h"
#include "native/unwind/rows.h"
#include "native/unwind/signal_frame.h"
#include "native/unwind/uncovered.h"

namespace nh::unwind {
namespace {

constexpr uint32_t most_own_frames = 64;  // between exact_walk and the allocation's caller

// The caller's registers just after this returns, in DWARF's order; those that a call may clobber are not stored.
#if defined(__x86_64__)
[[gnu::naked, gnu::noinline]] void store_registers([[maybe_unused]] uintptr_t* values) {
    asm("movq %rbx, 24(%rdi)\n\t"
        "movq %rbp, 48(%rdi)\n\t"
        "leaq 8(%rsp), %rax\n\t"
        "movq %rax, 56(%rdi)\n\t"
        "movq %r12, 96(%rdi)\n\t"
        "movq %r13, 104(%rdi)\n\t"
        "movq %r14, 112(%rdi)\n\t"
        "movq %r15, 120(%rdi)\n\t"
        "movq (%rsp), %rax\n\t"
        "movq %rax, 128(%rdi)\n\t"
        "ret");
}
#elif defined(__aarch64__)
extern "C" [[gnu::visibility("hidden")]] void nh_store_registers(uintptr_t* values);
asm(".text\n"
    ".hidden nh_store_registers\n"
    ".globl nh_store_registers\n"
    ".type nh_store_registers, @function\n"
    ".balign 16\n"
    "nh_store_registers:\n"
    ".cfi_startproc\n"
    "    stp x19, x20, [x0, #152]\n"
    "    stp x21, x22, [x0, #168]\n"
    "    stp x23, x24, [x0, #184]\n"
    "    stp x25, x26, [x0, #200]\n"
    "    stp x27, x28, [x0, #216]\n"
    "    mov x1, sp\n"
    "    str x29, [x0, #232]\n"
    "    stp x1, x30, [x0, #248]\n"
    "    ret\n"
    ".cfi_endproc\n"
    ".size nh_store_registers, . - nh_store_registers\n");
[[gnu::always_inline]] inline void store_registers(uintptr_t* values) {
    nh_store_registers(values);
}
#endif

// Applies one register's rule; what cannot be had becomes unknown.
void apply_rule(const FrameRules& rules, uint32_t number, uintptr_t limit, uintptr_t cfa, const RegisterFile& inner,
                StackWindow& window, RegisterFile* outer) {
    uintptr_t value = 0;
    bool known = false;
    uintptr_t slot = cfa + static_cast<uintptr_t>(rules.value[number]);
    const auto expression = static_cast<uintptr_t>(rules.value[number]);
    switch (rules.kind[number]) {
        case RuleKind::same:
            value = inner.value[number];
            known = inner.has(number) && ((callee_saved | preserved_at_interrupt) >> number & 1) != 0;
            break;
        case RuleKind::undefined:
            break;
        case RuleKind::at_expression:
            if (!evaluate(expression, limit, inner, window, true, cfa, &slot)) {
                break;
            }
            [[fallthrough]];
        case RuleKind::at_offset:
            known = window.readable(slot);
            value = known ? *reinterpret_cast<const uintptr_t*>(slot) : 0;
            break;
        case RuleKind::is_offset:
            value = slot;
            known = true;
            break;
        case RuleKind::is_expression:
            known = evaluate(expression, limit, inner, window, true, cfa, &value);
            break;
        case RuleKind::in_register:
            known = inner.has(expression);
            value = known ? inner.value[expression] : 0;
            break;
    }
    if (known) {
        outer->set(number, value);
    } else {
        outer->forget(number);
    }
}

bool find_cfa(const FrameRules& rules, uintptr_t limit, const RegisterFile& registers, StackWindow& window,
              uintptr_t* cfa) {
    if (rules.cfa_expression != 0) {
        return evaluate(rules.cfa_expression, limit, registers, window, false, 0, cfa);
    }
    *cfa = registers.value[rules.cfa_register] + static_cast<uintptr_t>(rules.cfa_offset);
    return registers.has(rules.cfa_register);
}

// Where calls store nothing by themselves, a leaf may have no frame at all.
bool leads_upwards(uintptr_t cfa, uintptr_t sp, StackWindow& window) {
    return (has_link_register && cfa == sp) || window.above(cfa - sizeof(uintptr_t), sp);
}

Step step_by_rules(const FrameDescription& description, const FrameRules& rules, RegisterFile* registers,
                   StackWindow& window) {
    const uintptr_t limit = description.instructions_end;
    uintptr_t cfa;
    if (!find_cfa(rules, limit, *registers, window, &cfa)) {
        return Step::lost;
    }
    // A frame described as a signal's may lead to another stack; any other one leads upwards.
    if (!description.signal_frame && !leads_upwards(cfa, registers->value[stack_pointer], window)) {
        return Step::lost;
    }
    const RegisterFile inner = *registers;
    for (uint32_t number = 0; number < register_count; ++number) {
        apply_rule(rules, number, limit, cfa, inner, window, registers);
    }
    if (rules.kind[stack_pointer] == RuleKind::same) {
        registers->set(stack_pointer, cfa);
    }
    if ((rules.kind[return_register] == RuleKind::same && !has_link_register) || !registers->has(return_register) ||
        !registers->has(stack_pointer)) {
        return Step::lost;
    }
    registers->set(program_counter, stripped(registers->value[return_register]));
    if constexpr (has_link_register) {
        registers->forget(return_register);  // the call that returned overwrote it
    }
    if (description.signal_frame) {
        ++registers->value[program_counter];
        window.enter(registers->value[stack_pointer], true);
    }
    return Step::moved;
}

Step step_uncovered_exactly(RegisterFile* registers, StackWindow& window) {
    Registers frame = {registers->value[program_counter], registers->value[stack_pointer],
                       registers->value[frame_pointer]};
    if (!registers->has(frame_pointer) || !step_uncovered(&frame, window)) {
        return Step::lost;
    }
    registers->known = 0;
    registers->set(program_counter, frame.pc);
    registers->set(stack_pointer, frame.sp);
    registers->set(frame_pointer, frame.fp);
    return Step::guessed;
}

// Of code that no description covers: a stub whose row is known, or by the frame pointer.
Step step_undescribed(const ElfImage& image, RegisterFile* registers, StackWindow& window) {
    const Row row = undescribed_row(image, registers->value[program_counter]);
    if (row.kind() != RowKind::from_link || !registers->has(return_register)) {
        return step_uncovered_exactly(registers, window);
    }
    registers->set(stack_pointer, registers->value[stack_pointer] + static_cast<uintptr_t>(row.cfa_offset()));
    registers->set(program_counter, stripped(registers->value[return_register]));
    registers->forget(return_register);
    return Step::moved;
}

// Puts the true return address in place of one that a .NET runtime planted.
void undo_hijack(RegisterFile* registers, StackWindow& window) {
    const uintptr_t pc = registers->value[program_counter];
    const uintptr_t slot = registers->value[stack_pointer] - sizeof(uintptr_t);
    ElfImage image;
    if (in_runtime_module(pc) && window.readable(slot) && *reinterpret_cast<const uintptr_t*>(slot) == pc &&
        find_module(pc, &image) != ModuleKnown::none && is_planted(image, pc)) {
        const uintptr_t true_pc = hijacked_return_address(slot);
        registers->value[program_counter] = true_pc != 0 ? true_pc : pc;
    }
}

}  // namespace

Step exact_step(RegisterFile* registers, StackWindow& window) {
    const uintptr_t pc = registers->value[program_counter];
    ElfImage image;
    FrameDescription description = {};
    FrameRules rules;
    if (find_module(pc - 1, &image) == ModuleKnown::none) {
        if (is_bare_signal_return(pc)) {
            return leave_signal_frame(registers, window) ? Step::moved : Step::lost;
        }
        CarefulReader reader;
        ManagedFunction managed;
        return find_managed_rules(reader, pc - 1, &managed, &rules)
                   ? step_by_rules(description, rules, registers, window)
                   : step_uncovered_exactly(registers, window);
    }
    if (is_signal_return(image, pc)) {
        return leave_signal_frame(registers, window) ? Step::moved : Step::lost;
    }
    if (!find_description(image, pc - 1, &description)) {
        return is_root(image, pc) ? Step::root : step_undescribed(image, registers, window);
    }
    if (!run_description(description, pc - 1, &rules)) {
        return Step::lost;
    }
    return rules.kind[return_register] == RuleKind::undefined ? Step::root
                                                              : step_by_rules(description, rules, registers, window);
}

uint32_t exact_walk(const Registers& at, StackWindow& window, uintptr_t* pcs, uint32_t capacity, StackEnd* end) {
    RegisterFile registers{};
    store_registers(registers.value);
    registers.known = callee_saved;
    window.enter(registers.value[stack_pointer], false);
    *end = StackEnd::lost;
    StackEnd reached = StackEnd::root;
    for (uint32_t i = 0; registers.value[stack_pointer] != at.sp || registers.value[program_counter] != at.pc; ++i) {
        if (i == most_own_frames || exact_step(&registers, window) != Step::moved) {
            return 0;
        }
    }
    uint32_t count = 0;
    for (;;) {
        undo_hijack(&registers, window);
        const uintptr_t pc = registers.value[program_counter];
        if (!is_code_address(pc)) {
            *end = pc == 0 ? reached : StackEnd::lost;
            return count;
        }
        if (count == capacity) {
            *end = StackEnd::depth_limit;
            return count;
        }
        pcs[count++] = find_row(pc).kind() == RowKind::collectible ? find_reused_row(pc).tagged(pc) : pc;
        const Step step = exact_step(&registers, window);
        if (step == Step::guessed) {
            reached = StackEnd::guessed;
        } else if (step != Step::moved) {
            *end = step == Step::root ? reached : StackEnd::lost;
            return count;
        }
    }
}

}  // namespace nh::unwind
