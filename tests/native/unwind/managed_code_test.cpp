// Walks through code of a stand-in for CoreCLR: found by its tables, replaced, hijacked, and with tables scribbled
// over.
#include "native/unwind/managed_code.h"

#include <gtest/gtest.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <map>
#include <random>

#include "native/unwind/known_runtime.h"
#include "native/unwind/reused_code.h"
#include "native/unwind/rows.h"
#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/fake_runtime.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {
namespace {

constexpr uintptr_t address_mask = wire::code_address_mask;

Walk taken;
void take() {
    taken = take_ours();
}

void call(uintptr_t code, void (*callee)()) {
    reinterpret_cast<void (*)(void (*)())>(code)(callee);
}

uint32_t count_pc(uintptr_t pc) {
    uint32_t found = 0;
    for (uintptr_t stored : taken.pcs) {
        found += (stored & address_mask) == pc;
    }
    return found;
}

// The epoch of the frame with that return address; ~0 when there is none.
uint32_t epoch_of(uintptr_t pc) {
    for (uintptr_t stored : taken.pcs) {
        if ((stored & address_mask) == pc) {
            return static_cast<uint32_t>(stored >> wire::reuse_epoch_shift);
        }
    }
    return ~0u;
}

uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The frames outside of the managed one must be this test's, whatever RBP was.
void expect_whole(uintptr_t pc) {
    EXPECT_EQ(taken.end, StackEnd::root);
    EXPECT_EQ(count_pc(pc), 1u);
    const Walk here = take_ours();
    ASSERT_GE(taken.pcs.size(), here.pcs.size());
    EXPECT_TRUE(std::equal(here.pcs.begin() + 2, here.pcs.end(), taken.pcs.end() - (here.pcs.size() - 2)));
}

class ManagedCode;
ManagedCode* current;

class ManagedCode : public testing::Test {
  protected:
    ManagedCode() : runtime(FakeRuntime::instance()) {
        prepare();
        current = this;
    }
    FakeRuntime& runtime;
};

TEST_F(ManagedCode, a_frame_without_frame_pointer_is_left_by_the_runtime_s_tables) {
    uint32_t place = 0x1000;
    for (uint32_t frame : {8u, 40u, 4104u, 120008u}) {
        place += 0x1004;  // rows of permanent code are kept: never the same place twice
        const MadeCode made = frame_by_stack_pointer(frame);
        // Also far into a method: behind 3,000 bytes of another function.
        MadeCode before = made;
        before.code.resize(3000, 0xCC);
        const uintptr_t code = runtime.put_method(FakeRuntime::permanent, place + 8, {made}, "m");
        call(code, take);
        expect_whole(code + made.call_end);
        const uintptr_t late = runtime.put_method(FakeRuntime::permanent, 0x8000 + place + 12, {before, made}, "n");
        call(late + 3000, take);
        expect_whole(late + 3000 + made.call_end);
    }
}

// In the last buckets of its map's words, where the word's other bits could pass for starts.
TEST_F(ManagedCode, the_start_of_a_long_method_is_found_from_everywhere_in_it) {
    const MadeCode made = frame_by_stack_pointer(40);
    for (uint32_t size = 2500; size < 3000; size += 4) {
        MadeCode before = made;
        before.code.resize(size, 0xCC);
        const uintptr_t start = runtime.put_method(FakeRuntime::permanent, 0x1E678, {before, made}, "long");
        CarefulReader reader;
        ManagedFunction found;
        ASSERT_TRUE(find_managed_function(reader, *known_runtime(), start + size, &found));
        EXPECT_EQ(found.start, start);
        EXPECT_EQ(found.base + found.function.begin, start + size);
    }
}

TEST_F(ManagedCode, undescribed_images_are_read_by_their_headers) {
    RuntimeContract contract = *known_runtime();
    contract.undescribed = true;
    contract.module.ready_to_run_info = contract.ready_to_run.functions = 1u << 20;
    const std::vector<MadeCode> functions = {frame_by_stack_pointer(8), frame_by_register(64),
                                             frame_by_stack_pointer(24)};
    const std::vector<uintptr_t> places = runtime.put_image(functions);
    for (size_t i = 0; i < places.size(); ++i) {
        CarefulReader reader;
        ManagedFunction found;
        ASSERT_TRUE(find_managed_function(reader, contract, places[i] + functions[i].call_end - 1, &found));
        EXPECT_EQ(found.base + found.function.begin, places[i]);
        EXPECT_FALSE(find_managed_function(reader, contract, places[i] + 1000, &found));
    }
}

TEST_F(ManagedCode, nibble_maps_of_version_1_are_searched_backwards) {
    RuntimeContract contract = *known_runtime();
    MadeCode long_one = frame_by_stack_pointer(40);
    long_one.code.resize(5000, 0xCC);
    const uintptr_t start = runtime.put_method(FakeRuntime::permanent, 0x1C008, {long_one}, "first version");
    runtime.forget_nibble_pointers();
    CarefulReader reader;
    ManagedFunction found;
    EXPECT_FALSE(find_managed_function(reader, contract, start + 4000, &found));
    contract.undescribed = true;
    for (uint32_t offset = 0; offset < 5000; offset += 31) {
        ASSERT_TRUE(find_managed_function(reader, contract, start + offset, &found)) << offset;
        EXPECT_EQ(found.start, start);
    }
}

TEST_F(ManagedCode, a_frame_register_is_followed) {
    const MadeCode made = frame_by_register(512);
    const uintptr_t code = runtime.put_method(FakeRuntime::permanent, 0x11008, {made}, "r");
    call(code, take);
    expect_whole(code + made.call_end);
}

TEST_F(ManagedCode, its_rows_are_kept_like_any_other) {
    const MadeCode made = frame_by_stack_pointer(72);
    const uintptr_t code = runtime.put_method(FakeRuntime::permanent, 0x11408, {made}, "k");
    bool keep = false;
    const Row row = compile_row(code + made.call_end, &keep);
    EXPECT_TRUE(keep);
    EXPECT_EQ(row.bits(), Row(RowKind::from_sp, 72 + 24, -16).bits());
}

TEST_F(ManagedCode, a_precompiled_image_is_searched_by_its_table) {
    std::vector<MadeCode> functions;
    for (uint32_t i = 0; i < 20; ++i) {
        functions.push_back(frame_by_stack_pointer(8 + 16 * i));
    }
    const std::vector<uintptr_t> places = runtime.put_image(functions);
    for (size_t i = 0; i < places.size(); ++i) {
        call(places[i], take);
        expect_whole(places[i] + functions[i].call_end);
    }
    CarefulReader reader;
    ManagedFunction found;
    EXPECT_FALSE(find_managed_function(reader, *known_runtime(), places[0] - 1, &found));
    EXPECT_FALSE(find_managed_function(reader, *known_runtime(), places[3] + functions[3].code.size(), &found));
    EXPECT_TRUE(find_managed_function(reader, *known_runtime(), places[3] + functions[3].code.size() - 1, &found));
    EXPECT_EQ(found.function.begin, places[3] - found.base);
}

TEST_F(ManagedCode, stubs_and_gaps_are_not_code_of_a_method) {
    const uintptr_t stub = runtime.put_stub(FakeRuntime::permanent, 0x12008, {0xCC, 0xCC, 0xCC, 0xCC});
    const MadeCode made = frame_by_stack_pointer(8);
    const uintptr_t code = runtime.put_method(FakeRuntime::permanent, 0x12108, {made}, "g");
    CarefulReader reader;
    ManagedFunction found;
    EXPECT_FALSE(find_managed_function(reader, *known_runtime(), stub, &found));
    EXPECT_FALSE(find_managed_function(reader, *known_runtime(), code - 1, &found));
    EXPECT_TRUE(find_managed_function(reader, *known_runtime(), code, &found));
    EXPECT_FALSE(find_managed_function(reader, *known_runtime(), code + made.code.size(), &found));
}

TEST_F(ManagedCode, other_code_at_the_address_gets_its_own_row_and_epoch) {
    const uint32_t at = 0x2008;
    const MadeCode small = frame_by_stack_pointer(40);
    const MadeCode large = frame_by_stack_pointer(1000 + 32);
    ASSERT_EQ(small.call_end, large.call_end);
    uint32_t expected = 0, first = 0;
    const MadeCode* last = nullptr;
    for (const MadeCode* made : {&small, &small, &large, &large, &small, &large}) {
        const uintptr_t code = runtime.put_method(FakeRuntime::collectible, at, {*made}, "same");
        expected += last != nullptr && made != last;
        last = made;
        call(code, take);
        expect_whole(code + made->call_end);
        first = made == &small && expected == 0 ? epoch_of(code + made->call_end) : first;
        EXPECT_EQ(epoch_of(code + made->call_end), first + expected);
    }
}

TEST_F(ManagedCode, the_same_code_of_another_method_is_another_place) {
    const MadeCode made = frame_by_stack_pointer(40);
    std::vector<uint32_t> epochs;
    for (const char* name : {"first", "first", "second", "first"}) {
        const uintptr_t code = runtime.put_method(FakeRuntime::collectible, 0x3008, {made}, name);
        call(code, take);
        expect_whole(code + made.call_end);
        epochs.push_back(epoch_of(code + made.call_end));
    }
    EXPECT_EQ(epochs[1], epochs[0]);
    EXPECT_EQ(epochs[2], epochs[0] + 1);
    EXPECT_EQ(epochs[3], epochs[0] + 2);
}

TEST_F(ManagedCode, each_epochs_beginning_is_told_once_with_its_method_and_a_moment_within_the_call) {
    const MadeCode made = frame_by_stack_pointer(40);
    size_t expected = told_reuses().size();
    for (const auto& [name, is_new] : {std::pair("first", true), {"first", false}, {"second", true}}) {
        const uintptr_t code = runtime.put_method(FakeRuntime::collectible, 0x3808, {made}, name);
        const uint64_t start = now_ns();
        call(code, take);
        expected += is_new;
        ASSERT_EQ(told_reuses().size(), expected) << name;
        const wire::reused_code& told = told_reuses().back();
        const uintptr_t pc = code + made.call_end;
        EXPECT_EQ(told.pc, pc | uintptr_t{epoch_of(pc)} << wire::reuse_epoch_shift);
        EXPECT_NE(epoch_of(pc), 0u);
        EXPECT_EQ(told.seen_ns >= start, is_new);
        EXPECT_LE(told.seen_ns, now_ns());
        CarefulReader reader;
        ManagedFunction found;
        ASSERT_TRUE(find_managed_function(reader, *known_runtime(), code, &found));
        EXPECT_EQ(told.method, reader.word(found.header + known_runtime()->code_header.method_desc));
    }
}

TEST_F(ManagedCode, code_that_stays_has_no_epoch) {
    const MadeCode made = frame_by_stack_pointer(40);
    const uintptr_t code = runtime.put_method(FakeRuntime::permanent, 0x13008, {made}, "p");
    call(code, take);
    EXPECT_EQ(epoch_of(code + made.call_end), 0u);
}

TEST_F(ManagedCode, many_replaced_methods_never_share_a_place) {
    std::map<uintptr_t, uint32_t> last;
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint32_t i = 0; i < 500; ++i) {
            const MadeCode made = frame_by_stack_pointer(8 + 16 * ((i + round) % 50));
            const uintptr_t code = runtime.put_method(FakeRuntime::collectible, 0x4008 + i * 128, {made}, "many");
            call(code, take);
            const uintptr_t pc = code + made.call_end;
            expect_whole(pc);
            if (round != 0) {
                EXPECT_GT(epoch_of(pc), last[pc]);
            }
            last[pc] = epoch_of(pc);
        }
    }
}

// What was pushed out of the table may have been replaced unseen, so it counts as other code.
TEST_F(ManagedCode, code_that_the_table_has_no_room_for_gets_new_epochs) {
    const MadeCode codes[] = {frame_by_stack_pointer(40), frame_by_register(512)};  // two places in a bucket of code
    const uintptr_t heap = runtime.put_method(FakeRuntime::collectible, 0x4008, {codes[0]}, "set") - 0x4008;
    struct Place {
        uint32_t at, code;
    };
    std::map<uint32_t, std::vector<Place>> by_set;
    const std::vector<Place>* crowded = nullptr;
    for (uint32_t i = 0; i < 2 * 0x6C00 && crowded == nullptr; ++i) {
        const Place place = {0x4008 + i / 2 * 4, i % 2};
        std::vector<Place>& set = by_set[reused_row_set(heap + place.at + codes[place.code].call_end)];
        set.push_back(place);
        crowded = set.size() == 5 ? &set : nullptr;
    }
    ASSERT_NE(crowded, nullptr);
    std::map<uintptr_t, uint32_t> last;
    for (uint32_t round = 0; round < 3; ++round) {
        for (const Place& place : *crowded) {
            const MadeCode& made = codes[place.code];
            const uintptr_t pc = runtime.put_method(FakeRuntime::collectible, place.at, {made}, "set") + made.call_end;
            call(pc - made.call_end, take);
            if (round != 0) {
                EXPECT_GT(epoch_of(pc), last[pc]);
            }
            last[pc] = epoch_of(pc);
        }
    }
}

uintptr_t managed_return_slot;
uintptr_t planted;
bool thread_knows;

// Does to its caller's frame what the runtime does to stop a thread, and allocates.
[[gnu::noinline]] void hijack_and_take() {
    const uintptr_t caller_sp = reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) + 16;
    auto slot = reinterpret_cast<volatile uintptr_t*>(caller_sp + managed_return_slot);
    const uintptr_t truth = *slot;
    FakeRuntime::instance().hijack(thread_knows ? reinterpret_cast<uintptr_t>(slot) : 0, truth);
    *slot = planted;
    taken = take_ours();
    *slot = truth;
}

class Hijack : public ManagedCode {
  public:
    // Outer managed frame → inner managed frame → native code; the inner one's return address is planted.
    void run(bool known) {
        const MadeCode inner = frame_by_stack_pointer(56);
        const MadeCode outer = frame_that_passes_on(24);
        const uintptr_t inner_code = runtime.put_method(FakeRuntime::permanent, 0x14008, {inner}, "inner");
        const uintptr_t outer_code = runtime.put_method(FakeRuntime::permanent, 0x14208, {outer}, "outer");
        inner_pc = inner_code + inner.call_end;
        outer_pc = outer_code + outer.call_end;
        managed_return_slot = 56 + 16;
        planted = reinterpret_cast<uintptr_t>(known_rsp);
        thread_knows = known;
        reinterpret_cast<void (*)(uintptr_t, void (*)())>(outer_code)(inner_code, hijack_and_take);
    }
    uintptr_t inner_pc, outer_pc;
};

TEST_F(Hijack, the_true_return_address_takes_the_planted_one_s_place) {
    for (int i = 0; i < 3; ++i) {
        run(true);
        expect_whole(inner_pc);
        expect_whole(outer_pc);
        EXPECT_EQ(count_pc(planted), 0u);
    }
}

TEST_F(Hijack, the_exact_walk_sees_it_too) {
    known_rsp([] { known_rbx([] { static_cast<Hijack*>(current)->run(true); }); });
    EXPECT_EQ(taken.end, StackEnd::root);
    EXPECT_EQ(count_pc(inner_pc), 1u);
    EXPECT_EQ(count_pc(outer_pc), 1u);
    EXPECT_EQ(count_pc(reinterpret_cast<uintptr_t>(known_rbx_return)), 1u);
    EXPECT_EQ(count_pc(planted), 0u);
}

TEST_F(Hijack, a_planted_address_that_no_thread_knows_ends_the_walk_as_lost) {
    run(false);
    EXPECT_EQ(taken.end, StackEnd::lost);
    EXPECT_EQ(count_pc(inner_pc), 1u);
}

// Last: the tables are scribbled over, and put right again.
TEST_F(ManagedCode, no_tables_whatever_fault) {
    const MadeCode made = frame_by_stack_pointer(40);
    const uintptr_t code = runtime.put_method(FakeRuntime::permanent, 0x15008, {made}, "z");
    const std::vector<uint8_t> kept(runtime.tables(), runtime.tables() + runtime.table_bytes());
    std::mt19937_64 random(5);
    uint32_t found_count = 0;
    for (int i = 0; i < 2000; ++i) {
        for (int j = 0; j < 200; ++j) {
            const size_t at = random() % (kept.size() - 8) & ~size_t{7};
            uint64_t value = random();
            switch (random() % 4) {
                case 0:
                    value = reinterpret_cast<uintptr_t>(runtime.tables()) + random() % kept.size();
                    break;
                case 1:
                    value &= 0xFFFF;
                    break;
                case 2:
                    value = code + random() % 4096 - 2048;
                    break;
                default:
                    break;
            }
            memcpy(runtime.tables() + at, &value, sizeof(value));
        }
        for (uintptr_t address : {code, code + made.call_end - 1, code + random() % 65536, random()}) {
            CarefulReader reader;
            ManagedFunction found;
            FrameRules rules;
            found_count += find_managed_rules(reader, address, &found, &rules);
        }
        if (i % 20 == 19) {
            memcpy(runtime.tables(), kept.data(), kept.size());
        }
    }
    memcpy(runtime.tables(), kept.data(), kept.size());
    EXPECT_GT(found_count, 0u);
}

}  // namespace
}  // namespace nh::unwind::test
