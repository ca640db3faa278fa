#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

TEST(Loader, malloc_looked_up_on_libc_is_recorded_and_rtld_next_keeps_its_meaning) {
    Recording run({target_path("loader")});
    expect_sound(run);
    EXPECT_EQ(run.target.number("wrong"), 0);
    Recording idle({target_path("loader"), "nothing"});
    expect_equal(run.target, run.totals - idle.totals);
}

TEST(Loader, libraries_are_unloaded_where_nobody_records) {
    Target target("", {"/usr/bin/python3", "-c", "import _ctypes as c; c.dlclose(c.dlopen('libm.so.6', 2))"});
    target.wait();
    EXPECT_TRUE(target.succeeded()) << target.status << target.errors;
}

TEST(Loader, another_allocator_in_search_order_is_the_one_called) {
    Recording run({target_path("signal_storm"), "return", "10"});
    expect_sound(run);
    EXPECT_EQ(run.target.number("bump"), 1);
}

TEST(Loader, allocations_of_an_indirect_function_resolver_work_before_relocation) {
    Recording run({target_path("early")});
    expect_sound(run);
    // 1,000 blocks, each but the last freed, and one realloc: all before there was a way to record them.
    EXPECT_EQ(run.image().missed_calls(), 1000u + 999u + 1u);
    // The program frees that block, which nobody saw born.
    EXPECT_EQ(run.totals.foreign_frees, 1);
    EXPECT_GE(run.totals.allocations, 1);
}

}  // namespace
}  // namespace nh::test
