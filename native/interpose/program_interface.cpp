// What a program may call: LeakSanitizer's interface (sanitizer/lsan_interface.h) and ours
// (native/include/nativeheap.h). Weak, so that a sanitizer that is really there comes first.
#include "native/interpose/program_interface.h"

#include <unistd.h>

#include "native/interpose/hook.h"
#include "native/interpose/reporting.h"
#include "native/process/check.h"
#include "native/process/root_regions.h"

#define NH_CALLABLE extern "C" __attribute__((visibility("default"), weak))

namespace nh::interpose {

thread_local constinit uintptr_t ignoring = 0;

}  // namespace nh::interpose

namespace {

using nh::process::CheckAnswer;
using nh::wire::check_reason;

// As struct nativeheap_leaks.
struct Leaks {
    uint64_t sums[8];
};

bool is_lost(const CheckAnswer& answer) {
    return answer.sums[1] + answer.sums[3] != 0;
}

}  // namespace

extern "C" {

// Told where the registers stand that a call preserves: the caller's pointers may be in them alone.

__attribute__((used)) int nh_check(Leaks* found, int since_last, uintptr_t stack) {
    CheckAnswer answer;
    check_reason reason = since_last != 0 ? check_reason::asked_since : check_reason::asked;
    if (!nh::process::ask(reason, nullptr, stack, &answer)) {
        return -1;
    }
    if (found != nullptr) {
        __builtin_memcpy(found->sums, answer.sums, sizeof answer.sums);
    }
    return is_lost(answer) ? 1 : 0;
}

__attribute__((used)) int nh_recoverable_leak_check(uintptr_t stack) {
    return nh_check(nullptr, 0, stack) == 1 ? 1 : 0;
}

__attribute__((used)) void nh_leak_check(uintptr_t stack) {
    CheckAnswer answer;
    if (nh::process::ask(check_reason::asked, nullptr, stack, &answer) && is_lost(answer) && answer.exit_code != 0) {
        _exit(static_cast<int>(answer.exit_code));
    }
}
}

#if defined(__x86_64__)
// Pushes those registers and calls the function, whose argument of that place is where they are.
#define NH_WITH_REGISTERS(function, argument)                                                                     \
    asm volatile("push %%rbp; push %%rbx; push %%r12; push %%r13; push %%r14; push %%r15; mov %%rsp, %%" argument \
                 "; sub $8, %%rsp; call " function                                                                \
                 "; add $8, %%rsp; pop %%r15; pop %%r14; pop %%r13; pop %%r12; pop %%rbx; pop %%rbp; ret"         \
                 :                                                                                                \
                 :                                                                                                \
                 : "memory")

NH_CALLABLE __attribute__((naked)) int nativeheap_check(Leaks*, int) {
    NH_WITH_REGISTERS("nh_check", "rdx");
}

NH_CALLABLE __attribute__((naked)) int __lsan_do_recoverable_leak_check() {
    NH_WITH_REGISTERS("nh_recoverable_leak_check", "rdi");
}

NH_CALLABLE __attribute__((naked)) void __lsan_do_leak_check() {
    NH_WITH_REGISTERS("nh_leak_check", "rdi");
}
#elif defined(__aarch64__)
// The same, as functions written here: x19 to x30 are stored.
#define NH_WITH_REGISTERS(name, function, argument) \
    asm(".text\n"                                   \
        ".weak " name                               \
        "\n"                                        \
        ".type " name                               \
        ", @function\n"                             \
        ".balign 16\n" name                         \
        ":\n"                                       \
        ".cfi_startproc\n"                          \
        "    stp x29, x30, [sp, #-96]!\n"           \
        "    .cfi_def_cfa_offset 96\n"              \
        "    .cfi_offset x29, -96\n"                \
        "    .cfi_offset x30, -88\n"                \
        "    stp x19, x20, [sp, #16]\n"             \
        "    stp x21, x22, [sp, #32]\n"             \
        "    stp x23, x24, [sp, #48]\n"             \
        "    stp x25, x26, [sp, #64]\n"             \
        "    stp x27, x28, [sp, #80]\n"             \
        "    mov x29, sp\n"                         \
        "    mov " argument                         \
        ", sp\n"                                    \
        "    bl " function                          \
        "\n"                                        \
        "    ldp x29, x30, [sp], #96\n"             \
        "    .cfi_restore x29\n"                    \
        "    .cfi_restore x30\n"                    \
        "    .cfi_def_cfa_offset 0\n"               \
        "    ret\n"                                 \
        ".cfi_endproc\n"                            \
        ".size " name ", . - " name "\n")

NH_WITH_REGISTERS("nativeheap_check", "nh_check", "x2");
NH_WITH_REGISTERS("__lsan_do_recoverable_leak_check", "nh_recoverable_leak_check", "x0");
NH_WITH_REGISTERS("__lsan_do_leak_check", "nh_leak_check", "x0");
#endif

NH_CALLABLE int nativeheap_is_recording() {
    return nh::transport::recording_mark() != 0 && nh::process::told_to_record() ? 1 : 0;
}

NH_CALLABLE int nativeheap_snapshot(const char* name) {
    CheckAnswer answer;
    return nh::process::ask(check_reason::snapshot, name, nh::unwind::caller_registers().sp, &answer) ? 0 : -1;
}

NH_CALLABLE int nativeheap_record(int start) {
    CheckAnswer answer;
    check_reason reason = start != 0 ? check_reason::start : check_reason::stop;
    return nh::process::ask(reason, nullptr, nh::unwind::caller_registers().sp, &answer) ? 0 : -1;
}

NH_CALLABLE void __lsan_disable() {
    nh::interpose::ignoring++;
}

NH_CALLABLE void __lsan_enable() {
    if (nh::interpose::ignoring != 0) {
        nh::interpose::ignoring--;
    }
}

NH_CALLABLE void __lsan_ignore_object(const void* block) {
    if (block == nullptr) {
        return;
    }
    nh::interpose::Hook hook(nh::unwind::caller_registers());
    if (hook) {
        nh::interpose::report_ignored(hook, block);
    }
}

NH_CALLABLE void __lsan_register_root_region(const void* start, size_t bytes) {
    nh::process::add_root_region(start, bytes);
}

NH_CALLABLE void __lsan_unregister_root_region(const void* start, size_t bytes) {
    nh::process::remove_root_region(start, bytes);
}
