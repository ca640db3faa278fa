// Modules that come and go, and code that the dynamic loader runs.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "native/unwind/loader_view.h"
#include "native/unwind/modules.h"
#include "native/unwind/rows.h"
#include "tests/native/unwind/both_walks.h"

namespace nh::unwind::test {
namespace {

BothWalks taken;
void take() {
    taken = take_both();
}

std::string library(const char* name) {
    return std::string(UNWIND_LIBRARIES) + "/lib" + name + ".so";
}

using Call = void (*)(void (*)());

class Library {
  public:
    explicit Library(const std::string& path, int flags = RTLD_NOW | RTLD_LOCAL)
        : handle_(dlopen(path.c_str(), flags)) {
        EXPECT_NE(handle_, nullptr) << dlerror();
    }
    ~Library() {
        dlclose(handle_);
        modules_unloaded();
    }
    template <typename T>
    T find(const char* name) const {
        return reinterpret_cast<T>(dlsym(handle_, name));
    }
    uintptr_t base() const { return static_cast<link_map*>(handle_)->l_addr; }

  private:
    void* handle_;
};

const wire::module* record_of(uintptr_t pc) {
    const SharedModules shared = shared_modules();
    const wire::module* found = nullptr;
    for (uint32_t i = 0; i < *shared.count; ++i) {
        if (pc >= shared.modules[i].start && pc < shared.modules[i].end) {
            found = &shared.modules[i];
        }
    }
    return found;
}

TEST(Loading, the_main_program_is_recorded_with_an_empty_path_and_its_build_id) {
    take();
    const wire::module* record = record_of(reinterpret_cast<uintptr_t>(&take));
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->path_length, 0);
    EXPECT_EQ(record->build_id_length, 20);
    EXPECT_EQ(record->state, static_cast<uint32_t>(wire::module_state::loaded));
}

TEST(Loading, a_library_is_recorded_with_path_bias_and_build_id) {
    const Library first(library("unwind_first"));
    first.find<Call>("call_first")(take);
    expect_same(taken);
    const wire::module* record = record_of(first.find<uintptr_t>("call_first"));
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(record->path), record->path_length), library("unwind_first"));
    EXPECT_EQ(record->bias, first.base());
    EXPECT_EQ(record->build_id_length, 20);
}

// This program is linked so: the loader's look-up then gives the range of one segment.
TEST(Loading, a_program_with_holes_between_its_segments_is_one_module) {
    take();
    const auto address = reinterpret_cast<uintptr_t>(&take);
    LoadedObject object;
    ASSERT_TRUE(find_object(address, &object));
    EXPECT_TRUE(!has_lock_free_look_up() || object.place.start > object.place.header) << "not a program with holes";
    const wire::module* record = record_of(address);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->start, object.place.header);
    EXPECT_GT(record->end, reinterpret_cast<uintptr_t>(&taken));
}

TEST(Loading, the_vdso_has_rows) {
    prepare();
    bool keep = false;
    const auto header = getauxval(AT_SYSINFO_EHDR);
    ElfImage image;
    ASSERT_EQ(find_module(header + 64, &image), ModuleKnown::remembered);
    ASSERT_NE(image.frame_header, 0u);
    // The first function that its table names.
    auto table = reinterpret_cast<const int32_t*>(image.frame_header + 12);
    const auto function = image.frame_header + static_cast<uintptr_t>(static_cast<int64_t>(table[0]));
    EXPECT_EQ(compile_row(function + 1, &keep).kind(), RowKind::from_sp);
}

TEST(Loading, an_unloaded_library_is_recorded_as_unloaded_and_the_same_one_again_as_loaded) {
    prepare();
    uint32_t before;
    uintptr_t address;
    uintptr_t base;
    {
        const Library first(library("unwind_first"));
        base = first.base();
        address = first.find<uintptr_t>("call_first");
        first.find<Call>("call_first")(take);
        before = generation();  // another test's library may have been there before
        EXPECT_EQ(record_of(address)->state, static_cast<uint32_t>(wire::module_state::loaded));
    }
    const wire::module* record = record_of(address);
    EXPECT_EQ(record->state, static_cast<uint32_t>(wire::module_state::unloaded));
    EXPECT_NE(record->unload_ns, 0u);
    const Library again(library("unwind_first"));
    ASSERT_EQ(again.base(), base) << "the loader placed it elsewhere";
    again.find<Call>("call_first")(take);
    expect_same(taken);
    EXPECT_EQ(record_of(address), record);
    EXPECT_EQ(record->state, static_cast<uint32_t>(wire::module_state::loaded));
    EXPECT_EQ(record->unload_ns, 0u);
    EXPECT_EQ(generation(), before);
}

// The two libraries have the same size and their functions lie at the same addresses with different frames: a row
// kept from the one leads astray in the other.
TEST(Loading, another_library_at_the_same_address_gets_its_own_rows_and_a_new_generation) {
    prepare();
    for (int round = 0; round < 20; ++round) {
        uint32_t before = 0;
        uintptr_t base = 0;
        {
            const Library first(library("unwind_first"));
            base = first.base();
            first.find<Call>("call_first")(take);
            expect_same(taken);
            before = generation();
        }
        const Library second(library("unwind_other"));
        ASSERT_EQ(second.base(), base) << "the loader placed it elsewhere";
        second.find<Call>("call_first")(take);
        expect_same(taken);
        EXPECT_EQ(generation(), before + 1) << "round " << round;
        const wire::module* record = record_of(second.find<uintptr_t>("call_first"));
        EXPECT_EQ(record->generation, generation());
    }
}

// Not told of the unloading: the first pc without a row shows it.
TEST(Loading, an_unloading_that_nobody_told_of_is_noticed_when_a_row_is_missing) {
    prepare();
    void* first = dlopen(library("unwind_first").c_str(), RTLD_NOW);
    ASSERT_NE(first, nullptr);
    const uintptr_t base = static_cast<link_map*>(first)->l_addr;
    reinterpret_cast<Call>(dlsym(first, "call_first"))(take);
    const uint32_t before = generation();
    dlclose(first);
    const Library second(library("unwind_other"));
    ASSERT_EQ(second.base(), base) << "the loader placed it elsewhere";
    second.find<Call>("call_second")(take);
    expect_same(taken);
    EXPECT_EQ(generation(), before + 1);
    second.find<Call>("call_first")(take);
    expect_same(taken);
}

TEST(Loading, in_a_librarys_constructor) {
    void (*hook)() = take;
    setenv("UNWIND_TEST_HOOK", std::to_string(reinterpret_cast<uintptr_t>(hook)).c_str(), 1);
    { const Library constructing(library("unwind_constructing")); }
    unsetenv("UNWIND_TEST_HOOK");
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

// The first call of an indirect function that is bound lazily: its resolver is run by the binding trampoline.
TEST(Loading, in_the_first_call_through_lazy_binding) {
    const Library lazy(library("unwind_lazy"), RTLD_LAZY | RTLD_LOCAL);
    *lazy.find<void (**)()>("unwind_lazy_hook") = take;
    taken = {};
    lazy.find<void (*)()>("unwind_lazy_call")();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_GT(count_frames(taken.ours.pcs, lazy.find<void*>("unwind_lazy_call"), 64), 0u);
}

TEST(Loading, the_link_map_alone_gives_the_same_modules) {
    prepare();
    const Library first(library("unwind_first"));
    const uintptr_t addresses[] = {reinterpret_cast<uintptr_t>(&take), first.find<uintptr_t>("call_first"),
                                   reinterpret_cast<uintptr_t>(&dlclose), getauxval(AT_SYSINFO_EHDR) + 64};
    for (uintptr_t address : addresses) {
        LoadedObject by_look_up;
        LoadedObject by_list;
        ASSERT_TRUE(find_object(address, &by_look_up));
        use_link_map_only(true);
        const bool found = find_object(address, &by_list);
        use_link_map_only(false);
        ASSERT_TRUE(found);
        EXPECT_EQ(by_look_up.place.header, by_list.place.header);
        EXPECT_EQ(by_look_up.place.bias, by_list.place.bias);
        EXPECT_EQ(by_look_up.place.frame_header, by_list.place.frame_header);
        EXPECT_EQ(by_look_up.map, by_list.map);
        ElfImage image;
        EXPECT_TRUE(describe_image(by_list.place, &image));
    }
}

TEST(Loading, walks_by_the_link_map_alone_are_the_same) {
    prepare();
    use_link_map_only(true);
    forget_rows();
    {
        const Library first(library("unwind_first"));
        first.find<Call>("call_first")(take);
    }
    use_link_map_only(false);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Loading, a_forked_child_records_new_modules_in_its_own_slot) {
    const SharedModules shared = shared_modules();
    take();
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    auto result = static_cast<volatile uint32_t*>(page);
    const pid_t child = fork();
    if (child == 0) {
        after_fork(9);
        const uint32_t before = *shared.count;
        const Library own(library("unwind_second"));
        own.find<Call>("call_second")(take);
        result[0] = *shared.count - before;
        result[1] = record_of(own.find<uintptr_t>("call_second"))->slot;
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    EXPECT_EQ(result[0], 1u);
    EXPECT_EQ(result[1], 9u);
    munmap(page, 4096);
}

class WithAndWithoutLookUp : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        prepare();
        use_link_map_only(GetParam());
        forget_rows();
    }
    void TearDown() override { use_link_map_only(false); }
};

INSTANTIATE_TEST_SUITE_P(Loading, WithAndWithoutLookUp, testing::Bool());

TEST(Loading, the_loaders_lock_free_look_up_is_found_where_there_is_one) {
    prepare();
    EXPECT_EQ(has_lock_free_look_up(), dlsym(RTLD_DEFAULT, "_dl_find_object") != nullptr);
}

TEST_P(WithAndWithoutLookUp, threads_walk_while_another_loads_and_unloads) {
    std::atomic<bool> stop{false};
    std::atomic<uint32_t> bad_walks{0};
    uint32_t different = 0;
    std::thread walkers[2];
    for (std::thread& walker : walkers) {
        walker = std::thread([&] {
            while (!stop) {
                bad_walks += take_ours().end != StackEnd::root;
            }
        });
    }
    for (int round = 0; round < 300; ++round) {
        const Library some(library(round % 2 == 0 ? "unwind_first" : "unwind_other"));
        some.find<Call>("call_first")(take);
        if (taken.ours.pcs != taken.libunwind && ++different == 1) {
            expect_same(taken);
        }
    }
    stop = true;
    for (std::thread& walker : walkers) {
        walker.join();
    }
    EXPECT_EQ(bad_walks, 0u);
    EXPECT_EQ(different, 0u);
}

}  // namespace
}  // namespace nh::unwind::test
