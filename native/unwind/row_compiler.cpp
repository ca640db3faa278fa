#include <string.h>

#include "native/unwind/byte_reader.h"
#include "native/unwind/call_frames.h"
#include "native/unwind/expression.h"
#include "native/unwind/known_runtime.h"
#include "native/unwind/managed_code.h"
#include "native/unwind/modules.h"
#include "native/unwind/rows.h"
#include "native/unwind/uncovered.h"

namespace nh::unwind {
namespace {

// Where the caller's frame pointer is; false when a compact row cannot say.
bool compact_fp(const FrameRules& rules, uintptr_t limit, int32_t* offset) {
    const int64_t value = rules.value[frame_pointer];
    switch (rules.kind[frame_pointer]) {
        case RuleKind::same:
        case RuleKind::undefined:
            *offset = Row::fp_unchanged;
            return true;
        case RuleKind::at_offset:
            *offset = static_cast<int32_t>(value);
            return value == *offset && value != Row::fp_unchanged && value != Row::fp_at_fp;
        case RuleKind::at_expression: {
            ExpressionValue where;
            *offset = Row::fp_at_fp;
            return evaluate_symbolically(static_cast<uintptr_t>(value), limit, 0, &where) && where.base == Base::fp &&
                   where.number == 0;
        }
        default:
            return false;
    }
}

// Apart, for its stack.
[[gnu::noinline]] bool is_planted_by_runtime(uintptr_t pc) {
    ElfImage image;
    return find_module(pc, &image) == ModuleKnown::remembered && is_planted(image, pc);
}

[[gnu::noinline]] Row compile_managed_row(uintptr_t instruction, bool* keep) {
    CarefulReader reader;
    ManagedFunction managed;
    FrameRules rules;
    *keep = find_managed_rules(reader, instruction, &managed, &rules);
    return !*keep                ? Row(RowKind::uncovered)
           : managed.collectible ? Row(RowKind::collectible)
                                 : compact(rules, instruction, 0);
}

}  // namespace

Row compact(const FrameRules& rules, uintptr_t pc, uintptr_t limit) {
    int32_t fp_offset = 0;
    const RuleKind return_kind = rules.kind[return_register];
    const bool in_link = has_link_register && return_kind == RuleKind::same;
    const int64_t return_offset = in_link ? Row::usual_return_offset : rules.value[return_register];
    if ((return_kind != RuleKind::at_offset && !in_link) || !compact_fp(rules, limit, &fp_offset)) {
        return Row(RowKind::exact);
    }
    int64_t offset = rules.cfa_offset;
    RowKind kind = rules.cfa_register == stack_pointer   ? RowKind::from_sp
                   : rules.cfa_register == frame_pointer ? RowKind::from_fp
                                                         : RowKind::exact;
    if (rules.cfa_expression != 0) {
        ExpressionValue cfa;
        if (!evaluate_symbolically(rules.cfa_expression, limit, pc, &cfa) || cfa.base == Base::number) {
            return Row(RowKind::exact);
        }
        offset = static_cast<int64_t>(cfa.number);
        kind = cfa.base == Base::sp   ? RowKind::from_sp
               : cfa.base == Base::fp ? RowKind::from_fp
                                      : RowKind::from_fp_word;
    }
    if (in_link) {
        kind = kind == RowKind::from_sp ? RowKind::from_link : RowKind::exact;
    }
    return kind == RowKind::exact || !RowLayout::fits(offset, fp_offset, return_offset)
               ? Row(RowKind::exact)
               : Row(kind, static_cast<int32_t>(offset), fp_offset, static_cast<int32_t>(return_offset));
}

Row compile_row(uintptr_t pc, bool* keep) {
    if (in_runtime_module(pc) && is_planted_by_runtime(pc)) {
        *keep = true;
        return Row(RowKind::hijacked);
    }
    return compile_described_row(pc, keep);
}

Row compile_described_row(uintptr_t pc, bool* keep) {
    const uintptr_t instruction = pc - 1;  // within the call, or the first byte of the interrupted instruction
    ElfImage image;
    const ModuleKnown known = find_module(instruction, &image);
    *keep = known == ModuleKnown::remembered;
    if (known == ModuleKnown::none && is_bare_signal_return(pc)) {
        return Row(RowKind::signal);
    }
    if (known == ModuleKnown::none) {
        return compile_managed_row(instruction, keep);
    }
    if (is_signal_return(image, pc)) {
        return Row(RowKind::signal);
    }
    FrameDescription description;
    if (!find_description(image, instruction, &description)) {
        return is_root(image, pc) ? Row(RowKind::outermost) : undescribed_row(image, pc);
    }
    if (description.signal_frame) {
        return Row(RowKind::exact);
    }
    FrameRules rules;
    if (!run_description(description, instruction, &rules)) {
        return Row(RowKind::broken);
    }
    if (rules.kind[return_register] == RuleKind::undefined) {
        return Row(RowKind::outermost);
    }
    return compact(rules, instruction, description.instructions_end);
}

}  // namespace nh::unwind
