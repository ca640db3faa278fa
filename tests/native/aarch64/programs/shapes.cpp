// Built several times; SHAPES names the table.
#include "tests/native/aarch64/programs/shapes.h"

#include <alloca.h>
#include <string.h>

// Not static, so that the dynamic symbol table tells its size; the names differ from build to build.
#define NH_JOIN_(a, b) a##_##b
#define NH_JOIN(a, b) NH_JOIN_(a, b)
#define NH_SHAPE(name) extern "C" [[gnu::noinline, gnu::noclone]] void NH_JOIN(name, SHAPES)(void (*then)())

volatile long NH_JOIN(sink, SHAPES);

NH_SHAPE(leaf) {
    NH_JOIN(sink, SHAPES) = reinterpret_cast<long>(then) * 3;
}

NH_SHAPE(leaf_with_locals) {
    volatile long words[8] = {};
    words[reinterpret_cast<long>(then) & 7] = 1;
    NH_JOIN(sink, SHAPES) = words[3];
}

NH_SHAPE(calls) {
    then();
    asm volatile("");
}

NH_SHAPE(calls_with_saved_registers) {
    long a = NH_JOIN(sink, SHAPES), b = a * 5, c = b ^ 7, d = c + 9, e = d * d;
    double x = static_cast<double>(e), y = x * 3;
    asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+w"(x), "+w"(y));
    then();
    NH_JOIN(sink, SHAPES) = a + b + c + d + e + static_cast<long>(x + y);
}

NH_SHAPE(returns_early) {
    if (then == nullptr) {
        return;
    }
    volatile long words[100];
    words[5] = 1;
    then();
    NH_JOIN(sink, SHAPES) = words[5];
}

NH_SHAPE(variable_frame) {
    const size_t bytes = 100 + (NH_JOIN(sink, SHAPES) & 0xFF);
    auto block = static_cast<char*>(alloca(bytes));
    memset(block, 1, bytes);
    asm volatile("" : : "r"(block) : "memory");
    then();
    asm volatile("");
}

NH_SHAPE(large_frame) {
    volatile char block[20000];
    block[19999] = 1;
    then();
    NH_JOIN(sink, SHAPES) = block[19999];
}

// Its places do not fit into a row.
NH_SHAPE(huge_frame) {
    volatile char block[3 << 20];
    block[5] = 1;
    then();
    NH_JOIN(sink, SHAPES) = block[5];
}

NH_SHAPE(many_arguments) {
    char text[64];
    extern int nh_format(char*, int, int, int, int, int, int, int, int, int, int, int);
    nh_format(text, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    then();
    NH_JOIN(sink, SHAPES) = text[0];
}

#define NH_ROW(name) \
    { #name, NH_JOIN(name, SHAPES) }

namespace nh::unwind::test {

extern const NamedShape SHAPES[] = {
    NH_ROW(leaf),           NH_ROW(leaf_with_locals), NH_ROW(calls),       NH_ROW(calls_with_saved_registers),
    NH_ROW(returns_early),  NH_ROW(variable_frame),   NH_ROW(large_frame), NH_ROW(huge_frame),
    NH_ROW(many_arguments), {nullptr, nullptr},
};

}  // namespace nh::unwind::test
