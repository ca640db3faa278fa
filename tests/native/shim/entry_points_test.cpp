#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

Totals beyond_nothing(const std::string& target, const Recording& run) {
    Recording idle({target_path(target), "nothing"}, run.image().size());
    expect_sound(idle);
    return run.totals - idle.totals;
}

TEST(EntryPoints, every_one_is_counted_as_the_target_counts_it) {
    Recording run({target_path("entry_points")});
    expect_sound(run);
    Totals totals = beyond_nothing("entry_points", run);
    expect_equal(run.target, totals);
    EXPECT_EQ(totals.foreign_frees, 0);
    EXPECT_GT(totals.failed_resizes, 0);
    EXPECT_EQ(run.image().missed_calls(), 0u);
}

TEST(EntryPoints, each_allocation_names_the_function_that_was_called) {
    Recording run({target_path("entry_points")});
    const char* names[] = {"",         "malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc",
                           "memalign", "valloc", "pvalloc"};
    Totals totals = beyond_nothing("entry_points", run);
    for (size_t marker = 1; marker < std::size(names); marker++) {
        size_t at = run.target.output.find("\"entries\"");
        at = run.target.output.find("\"" + std::string(names[marker]) + "\":{\"blocks\":", at);
        ASSERT_NE(at, std::string::npos);
        at = run.target.output.find("blocks\":", at) + 8;
        EXPECT_EQ(totals.entry_blocks[marker], atoll(run.target.output.c_str() + at)) << names[marker];
    }
}

TEST(EntryPoints, errno_and_contents_are_kept) {
    Recording run({target_path("entry_points")});
    EXPECT_EQ(run.target.number("wrong"), 0);
}

TEST(EntryPoints, operators_are_seen_through_a_loaded_and_a_linked_in_runtime) {
    for (const char* name : {"operators", "operators_static_runtime"}) {
        Recording run({target_path(name)});
        expect_sound(run);
        expect_equal(run.target, beyond_nothing(name, run));
    }
}

TEST(EntryPoints, without_a_collector_calls_are_forwarded) {
    Target target("", {target_path("entry_points")});
    target.wait();
    EXPECT_TRUE(target.succeeded());
    EXPECT_EQ(target.number("wrong"), 0);
    EXPECT_EQ(target.errors, "");
}

}  // namespace
}  // namespace nh::test
