// Stops functions of every shape, and the linker's stubs, at each of their instructions by a breakpoint, and walks from
// the handler of the signal: by rows, and by all registers. What the walk has to find is known: the interrupted place,
// who called it, and all outside of that as it was before. Prints a line for each shape; exits 1 when one walk was
// wrong.
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <vector>

#include "native/unwind/exact_walk.h"
#include "native/unwind/rows.h"
#include "native/unwind/unwinder.h"
#include "tests/native/aarch64/programs/shapes.h"

extern "C" int nh_format(char* text, int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k) {
    text[0] = static_cast<char>(a + b + c + d + e + f + g + h + i + j + k);
    return 1;
}

namespace {

using namespace nh::unwind;
using namespace nh::unwind::test;
using nh::wire::max_frames;

constexpr uint32_t breakpoint_code = 0xD4200000;  // brk #0

nh::wire::module modules[64];
uint32_t module_count;
uint64_t clock_ns = 1;
StackBounds bounds;

struct Stack {
    std::vector<uintptr_t> pcs;
    StackEnd end;
};

Stack walk_from(const Registers& at) {
    Stack stack;
    stack.pcs.resize(max_frames);
    stack.pcs.resize(walk(at, bounds, stack.pcs.data(), max_frames, &stack.end));
    return stack;
}

[[gnu::noinline]] Stack walk_exactly_from(const Registers& at) {
    Stack stack;
    stack.pcs.resize(max_frames);
    StackWindow window(bounds);
    window.enter(at.sp, false);
    stack.pcs.resize(exact_walk(at, window, stack.pcs.data(), max_frames, &stack.end));
    return stack;
}

struct Function {
    uintptr_t start, end;
    bool has(uintptr_t pc) const { return pc > start && pc <= end; }
};

Function function_at(const void* address) {
    Dl_info info;
    const ElfW(Sym)* symbol = nullptr;
    if (dladdr1(address, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) == 0 ||
        symbol == nullptr) {
        printf("no symbol at %p\n", address);
        exit(2);
    }
    const auto start = reinterpret_cast<uintptr_t>(info.dli_saddr);
    return {start, start + symbol->st_size};
}

uint32_t* stopped_at;
uint32_t original;
uint32_t stops, wrong;
Stack outside;         // of call_shape's callers
Function expected[4];  // who is between the interrupted function and those
uint32_t expected_count;

void put(uint32_t* place, uint32_t instruction) {
    *place = instruction;
    __builtin___clear_cache(reinterpret_cast<char*>(place), reinterpret_cast<char*>(place + 1));
}

bool is_right(const Stack& stack, uintptr_t interrupted) {
    size_t i = 0;
    while (i < stack.pcs.size() && stack.pcs[i] != interrupted + 1) {
        ++i;
    }
    if (stack.end != StackEnd::root || stack.pcs.size() != i + 1 + expected_count + outside.pcs.size()) {
        return false;
    }
    for (uint32_t k = 0; k < expected_count; ++k) {
        if (!expected[k].has(stack.pcs[i + 1 + k])) {
            return false;
        }
    }
    return memcmp(&stack.pcs[i + 1 + expected_count], outside.pcs.data(), outside.pcs.size() * sizeof(uintptr_t)) == 0;
}

void show(const char* which, const Stack& stack) {
    printf("  %s: end %d\n", which, static_cast<int>(stack.end));
    for (uintptr_t pc : stack.pcs) {
        Dl_info info = {};
        dladdr(reinterpret_cast<void*>(pc - 1), &info);
        printf("    %lx %s\n", pc, info.dli_sname == nullptr ? "?" : info.dli_sname);
    }
}

void on_stop(int, siginfo_t*, void* context) {
    const uintptr_t pc = static_cast<ucontext_t*>(context)->uc_mcontext.pc;
    put(stopped_at, original);
    const Registers at = caller_registers();
    const Stack by_rows = walk_from(at);
    const Stack exactly = walk_exactly_from(at);
    ++stops;
    if (pc != reinterpret_cast<uintptr_t>(stopped_at) || !is_right(by_rows, pc) || !is_right(exactly, pc)) {
        if (wrong++ == 0) {
            printf("  at %p, stopped at %lx\n", static_cast<void*>(stopped_at), pc);
            show("by rows", by_rows);
            show("exactly", exactly);
        }
    }
}

}  // namespace

extern "C" {

[[gnu::noinline]] void nothing() {
    asm volatile("");
}

[[gnu::noinline]] void call_shape(Shape* shape) {
    outside = walk_from(caller_registers());
    shape(nothing);
    asm volatile("");
}

volatile long number;

// Through a stub, which its first instruction that is a call leads to.
[[gnu::noinline]] void calls_through_stub(void (*)()) {
    number = labs(number);
    asm volatile("");
}
}

namespace {

bool make_writable(uintptr_t start, uintptr_t end) {
    const uintptr_t page = start & ~uintptr_t{4095};
    return mprotect(reinterpret_cast<void*>(page), end - page, PROT_READ | PROT_WRITE | PROT_EXEC) == 0;
}

// Stops at each instruction from start to end while `shape` runs; before each run, *slot is set to `slot_value`.
bool step(const char* table, const char* name, Function code, Shape* shape, uintptr_t* slot = nullptr,
          uintptr_t slot_value = 0) {
    stops = wrong = 0;
    uint32_t runs = 0;
    for (uintptr_t at = code.start; at < code.end; at += 4, ++runs) {
        stopped_at = reinterpret_cast<uint32_t*>(at);
        original = *stopped_at;
        if (slot != nullptr) {
            *slot = slot_value;
        }
        put(stopped_at, breakpoint_code);
        call_shape(shape);
        put(stopped_at, original);
    }
    printf("%s %s: %u of %u instructions reached, %u wrong\n", table, name, stops, runs, wrong);
    return wrong == 0 && stops * 10 >= runs * 6;
}

bool step_all(const char* table, const NamedShape* shapes) {
    bool good = true;
    for (; shapes->name != nullptr; ++shapes) {
        const Function code = function_at(reinterpret_cast<void*>(shapes->function));
        expected[0] = function_at(reinterpret_cast<void*>(call_shape));
        expected_count = 1;
        good &= make_writable(code.start, code.end) && step(table, shapes->name, code, shapes->function);
    }
    return good;
}

// A stub that is bound when it is first called, and what all such stubs jump to.
bool step_stubs() {
    const Function caller = function_at(reinterpret_cast<void*>(calls_through_stub));
    uintptr_t call = caller.start;
    while (call < caller.end && (*reinterpret_cast<uint32_t*>(call) & 0xFC000000) != 0x94000000) {
        call += 4;
    }
    const int32_t words = static_cast<int32_t>(*reinterpret_cast<uint32_t*>(call) << 6) >> 6;
    const uintptr_t stub = call + static_cast<uintptr_t>(int64_t{words} * 4);
    auto code = reinterpret_cast<const uint32_t*>(stub);
    // adrp x16, page; ldr x17, [x16, #offset]
    const int64_t pages = static_cast<int64_t>((code[0] >> 29 & 3) | (code[0] >> 3 & 0x1FFFFC)) << 43 >> 43;
    auto slot = reinterpret_cast<uintptr_t*>((stub & ~uintptr_t{4095}) + static_cast<uintptr_t>(pages * 4096) +
                                             (code[1] >> 10 & 0xFFF) * 8);
    const uintptr_t unbound = *slot;
    expected[0] = caller;
    expected[1] = function_at(reinterpret_cast<void*>(call_shape));
    expected_count = 2;
    return make_writable(unbound, stub + 16) &&
           step("stub", "first call", {unbound, unbound + 20}, calls_through_stub, slot, unbound) &&
           step("stub", "bound", {stub, stub + 16}, calls_through_stub);
}

// Nothing describes them: a frame record at the bottom of a frame, and one at its top.
asm(".text\n"
    ".globl record_at_bottom, record_at_top\n"
    ".type record_at_bottom, @function\n"
    ".type record_at_top, @function\n"
    "record_at_bottom:\n"
    "    stp x29, x30, [sp, #-160]!\n"
    "    mov x29, sp\n"
    "    blr x0\n"
    "    ldp x29, x30, [sp], #160\n"
    "    ret\n"
    ".size record_at_bottom, . - record_at_bottom\n"
    "record_at_top:\n"
    "    stp x29, x30, [sp, #-16]!\n"
    "    mov x29, sp\n"
    "    sub sp, sp, #144\n"
    "    blr x0\n"
    "    add sp, sp, #144\n"
    "    ldp x29, x30, [sp], #16\n"
    "    ret\n"
    ".size record_at_top, . - record_at_top\n");
extern "C" Shape record_at_bottom, record_at_top;

Stack through_undescribed;
[[gnu::noinline]] void take() {
    through_undescribed = walk_from(caller_registers());
}

[[gnu::noinline]] void take_outside() {
    outside = walk_from(caller_registers());
}

// Its frame is found by the stack pointer.
[[gnu::noinline]] void call_undescribed(Shape* shape) {
    volatile long words[50] = {};
    take_outside();
    shape(take);
    number = words[3];
}

bool is_walked_by_record(const char* name, Shape* shape) {
    call_undescribed(shape);
    const auto& pcs = through_undescribed.pcs;
    const bool good = through_undescribed.end == StackEnd::guessed && pcs.size() == outside.pcs.size() + 1 &&
                      memcmp(&pcs[2], &outside.pcs[1], (outside.pcs.size() - 1) * sizeof(uintptr_t)) == 0;
    printf("undescribed %s: %s\n", name, good ? "right" : "wrong");
    if (!good) {
        show("by record", through_undescribed);
    }
    return good;
}

}  // namespace

int main() {
    if (!initialise({modules, 64, &module_count, &clock_ns, 0}, {})) {
        return 2;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    struct sigaction action = {};
    action.sa_sigaction = on_stop;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, nullptr);
    bool good = step_all("plain", plain_shapes);
    good &= step_all("framed", framed_shapes);
    good &= step_all("signed", signed_shapes);
    good &= step_stubs();
    good &= is_walked_by_record("record at the bottom", record_at_bottom);
    good &= is_walked_by_record("record at the top", record_at_top);
    return good ? 0 : 1;
}
