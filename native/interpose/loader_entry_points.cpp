// dlopen, dlmopen, dlsym, dlvsym and dlclose.
#include <dlfcn.h>

#include "native/interpose/late_hooks.h"
#include "native/interpose/real.h"
#include "native/interpose/runtime_start.h"
#include "native/process/namespaces.h"
#include "native/unwind/unwinder.h"

#define NH_EXPORT extern "C" __attribute__((visibility("default")))
#define NH_HIDDEN extern "C" __attribute__((visibility("hidden")))

using nh::interpose::hook_own_scopes;
using nh::interpose::prefer_own;
using nh::interpose::prefer_own_runtime_start;
using nh::interpose::real;

// The next three are reached from the assembly below.

NH_HIDDEN void* nh_dlsym_on_handle(void* handle, const char* name) {
    void* found = real().dlsym != nullptr ? real().dlsym(handle, name) : nullptr;
    return found != nullptr ? prefer_own_runtime_start(name, prefer_own(name, found)) : nullptr;
}

NH_HIDDEN void* nh_dlvsym_on_handle(void* handle, const char* name, const char* version) {
    void* found = real().dlvsym != nullptr ? real().dlvsym(handle, name, version) : nullptr;
    return found != nullptr ? prefer_own(name, found) : nullptr;
}

static void* no_symbol() {
    return nullptr;
}  // before glibc 2.34, without libdl, nobody has dlsym

NH_HIDDEN void* nh_real_dlsym() {
    return real().dlsym != nullptr ? reinterpret_cast<void*>(real().dlsym) : reinterpret_cast<void*>(no_symbol);
}

NH_HIDDEN void* nh_real_dlvsym() {
    return real().dlvsym != nullptr ? reinterpret_cast<void*>(real().dlvsym) : reinterpret_cast<void*>(no_symbol);
}

// For RTLD_DEFAULT (0) and RTLD_NEXT (-1) the answer depends on who asks, told by the return address: jump to the real
// function with stack and arguments as they came. Other handles do not depend on it.
#if defined(__x86_64__)
#define NH_ASK_FOR_CALLER(name)           \
    asm(".text\n"                         \
        ".globl " #name                   \
        "\n"                              \
        ".type " #name                    \
        ", @function\n"                   \
        ".balign 16\n" #name              \
        ":\n"                             \
        ".cfi_startproc\n"                \
        "    lea 1(%rdi), %rax\n"         \
        "    cmp $1, %rax\n"              \
        "    ja nh_" #name                \
        "_on_handle\n"                    \
        "    push %rdi\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    push %rsi\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    push %rdx\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    call nh_real_" #name         \
        "\n"                              \
        "    pop %rdx\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    pop %rsi\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    pop %rdi\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    jmp *%rax\n"                 \
        ".cfi_endproc\n"                  \
        ".size " #name ", . - " #name "\n")

#elif defined(__aarch64__)
#define NH_ASK_FOR_CALLER(name)                                                                                   \
    asm(".text\n"                                                                                                 \
        ".globl " #name                                                                                           \
        "\n"                                                                                                      \
        ".type " #name                                                                                            \
        ", @function\n"                                                                                           \
        ".balign 16\n" #name                                                                                      \
        ":\n"                                                                                                     \
        ".cfi_startproc\n"                                                                                        \
        "    add x3, x0, #1\n"                                                                                    \
        "    cmp x3, #1\n"                                                                                        \
        "    b.hi nh_" #name "_on_handle\n" NH_SAVE_ARGUMENTS "    bl nh_real_" #name "\n" NH_JUMP_WITH_ARGUMENTS \
        ".cfi_endproc\n"                                                                                          \
        ".size " #name ", . - " #name "\n")

// The first three arguments and the caller's frame record.
#define NH_SAVE_ARGUMENTS             \
    "    stp x29, x30, [sp, #-48]!\n" \
    "    .cfi_def_cfa_offset 48\n"    \
    "    .cfi_offset x29, -48\n"      \
    "    .cfi_offset x30, -40\n"      \
    "    mov x29, sp\n"               \
    "    stp x0, x1, [sp, #16]\n"     \
    "    str x2, [sp, #32]\n"
#define NH_JUMP_WITH_ARGUMENTS      \
    "    mov x16, x0\n"             \
    "    ldr x2, [sp, #32]\n"       \
    "    ldp x0, x1, [sp, #16]\n"   \
    "    ldp x29, x30, [sp], #48\n" \
    "    .cfi_restore x29\n"        \
    "    .cfi_restore x30\n"        \
    "    .cfi_def_cfa_offset 0\n"   \
    "    br x16\n"
#endif

NH_ASK_FOR_CALLER(dlsym);
NH_ASK_FOR_CALLER(dlvsym);

// A library that looks up its names in its own libraries first finds libc's malloc before ours.
NH_HIDDEN void* nh_prepare_dlopen(const char*, int flags) {
    void* (*function)(const char*, int) = real().dlopen;
    if ((flags & RTLD_DEEPBIND) != 0) {
        hook_own_scopes();
    }
    return function != nullptr ? reinterpret_cast<void*>(function) : reinterpret_cast<void*>(no_symbol);
}

NH_HIDDEN void* nh_prepare_dlmopen(long space, const char*, int) {
    void* (*function)(long, const char*, int) = real().dlmopen;
    if (space != LM_ID_BASE) {
        nh::process::note_other_namespace();
    }
    return function != nullptr ? reinterpret_cast<void*>(function) : reinterpret_cast<void*>(no_symbol);
}

// They take the RUNPATH of whoever calls, told by the return address, too.
#if defined(__x86_64__)
#define NH_PREPARE_AND_JUMP(name)         \
    asm(".text\n"                         \
        ".globl " #name                   \
        "\n"                              \
        ".type " #name                    \
        ", @function\n"                   \
        ".balign 16\n" #name              \
        ":\n"                             \
        ".cfi_startproc\n"                \
        "    push %rdi\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    push %rsi\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    push %rdx\n"                 \
        "    .cfi_adjust_cfa_offset 8\n"  \
        "    call nh_prepare_" #name      \
        "\n"                              \
        "    pop %rdx\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    pop %rsi\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    pop %rdi\n"                  \
        "    .cfi_adjust_cfa_offset -8\n" \
        "    jmp *%rax\n"                 \
        ".cfi_endproc\n"                  \
        ".size " #name ", . - " #name "\n")
#elif defined(__aarch64__)
#define NH_PREPARE_AND_JUMP(name)                                                                   \
    asm(".text\n"                                                                                   \
        ".globl " #name                                                                             \
        "\n"                                                                                        \
        ".type " #name                                                                              \
        ", @function\n"                                                                             \
        ".balign 16\n" #name                                                                        \
        ":\n"                                                                                       \
        ".cfi_startproc\n" NH_SAVE_ARGUMENTS "    bl nh_prepare_" #name "\n" NH_JUMP_WITH_ARGUMENTS \
        ".cfi_endproc\n"                                                                            \
        ".size " #name ", . - " #name "\n")
#endif

NH_PREPARE_AND_JUMP(dlopen);
NH_PREPARE_AND_JUMP(dlmopen);

// The destructors it runs may free and are recorded as any call; only then the modules that are gone are forgotten.
NH_EXPORT int dlclose(void* handle) {
    int result = real().dlclose != nullptr ? real().dlclose(handle) : -1;
    nh::unwind::modules_unloaded();
    return result;
}
