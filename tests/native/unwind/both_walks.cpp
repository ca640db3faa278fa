#include "tests/native/unwind/both_walks.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "native/unwind/rows.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

namespace nh::unwind::test {
namespace {

constexpr uint32_t module_capacity = 4096;
wire::module modules[module_capacity];
uint32_t module_count;
constexpr uint32_t reused_capacity = 1 << 16;
wire::reused_code reused[reused_capacity];
uint32_t reused_count;
uint64_t clock_ns = 1;
thread_local StackBounds bounds;

Walk walk_from(const Registers& at) {
    Walk walk;
    walk.pcs.resize(wire::max_frames);
    walk.pcs.resize(unwind::walk(at, bounds, walk.pcs.data(), wire::max_frames, &walk.end));
    return walk;
}

std::vector<uintptr_t> libunwind_from(const Registers& at) {
    unw_context_t context;
    unw_getcontext(&context);
    unw_cursor_t cursor;
    std::vector<uintptr_t> pcs;
    if (unw_init_local(&cursor, &context) != 0) {
        return pcs;
    }
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    do {
        if (unw_step(&cursor) <= 0) {
            return pcs;
        }
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        unw_get_reg(&cursor, UNW_REG_SP, &sp);
    } while (pc != at.pc || sp != at.sp);
    do {
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        if (pc == 0) {
            break;
        }
        // True of the frame that a signal interrupted.
        pcs.push_back(pc + (unw_is_signal_frame(&cursor) > 0 ? 1 : 0));
    } while (pcs.size() < wire::max_frames && unw_step(&cursor) > 0);
    return pcs;
}

std::string name_of(uintptr_t pc) {
    char text[256];
    Dl_info info{};
    if (dladdr(reinterpret_cast<void*>(pc - 1), &info) != 0) {
        snprintf(text, sizeof text, "0x%lx %s %s", pc, info.dli_fname, info.dli_sname ? info.dli_sname : "?");
    } else {
        snprintf(text, sizeof text, "0x%lx", pc);
    }
    return text;
}

}  // namespace

void prepare() {
    static const bool good = initialise({modules, module_capacity, &module_count, &clock_ns, 0},
                                        {reused, reused_capacity, &reused_count, 0});
    if (!good) {
        abort();
    }
    // It does not notice that another library took a place.
    static const int uncached = unw_set_caching_policy(unw_local_addr_space, UNW_CACHE_NONE);
    (void)uncached;
}

SharedModules shared_modules() {
    return {modules, &module_count, &clock_ns};
}

std::span<const wire::reused_code> told_reuses() {
    return {reused, reused_count};
}

StackBounds& thread_bounds() {
    return bounds;
}

BothWalks take_both() {
    prepare();
    const Registers at = caller_registers();
    BothWalks walks{walk_from(at), libunwind_from(at)};
    for (uintptr_t pc : walks.ours.pcs) {
        walks.exact |= find_row(pc).kind() == RowKind::exact;
    }
    return walks;
}

Walk take_ours() {
    prepare();
    return walk_from(caller_registers());
}

std::string describe(const BothWalks& walks) {
    std::string text;
    const size_t most = std::max(walks.ours.pcs.size(), walks.libunwind.size());
    for (size_t i = 0; i < most && i < 40; ++i) {
        text += std::to_string(i) + " ours " + (i < walks.ours.pcs.size() ? name_of(walks.ours.pcs[i]) : "-") +
                " libunwind " + (i < walks.libunwind.size() ? name_of(walks.libunwind[i]) : "-") + "\n";
    }
    return text;
}

void expect_same(const BothWalks& walks) {
    EXPECT_GT(walks.ours.pcs.size(), 1u);
    EXPECT_TRUE(walks.ours.pcs == walks.libunwind) << describe(walks);
}

}  // namespace nh::unwind::test
