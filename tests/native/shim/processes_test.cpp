#include <map>
#include <set>

#include "tests/native/shim/recording.h"

namespace nh::test {
namespace {

int64_t blocks_of(const Image& image, uint32_t slot, uint64_t size) {
    int64_t blocks = 0;
    for (const Event& event : image.events) {
        blocks += event.slot == slot && event.kind == wire::event_kind::alloc && event.size == size;
    }
    return blocks;
}

uint32_t live_slots(const Image& image) {
    uint32_t slots = 0;
    for (uint32_t i = 0; i < image.size().slots; i++) {
        slots += image.slot(i).state == static_cast<uint32_t>(wire::slot_state::live);
    }
    return slots;
}

TEST(Children, of_fork_and_raw_clone_get_a_slot_of_their_own_in_the_same_region) {
    Recording run({target_path("children"), "clone"});
    expect_sound(run);
    ASSERT_EQ(run.collector.images().size(), 1u);
    ASSERT_EQ(live_slots(run.image()), 2u);
    EXPECT_EQ(run.image().slot(1).parent_slot, 0u);
    EXPECT_EQ(run.image().slot(0).pid, static_cast<uint32_t>(run.target.pid()));
    EXPECT_NE(run.image().slot(1).pid, run.image().slot(0).pid);
    EXPECT_EQ(blocks_of(run.image(), 0, 100), 20);
    EXPECT_EQ(blocks_of(run.image(), 1, 50), 7);
    EXPECT_EQ(settle(run.image(), 1).frees, 3);
}

TEST(Children, of_children_name_their_parent) {
    Recording run({target_path("children"), "nested"});
    expect_sound(run);
    ASSERT_EQ(live_slots(run.image()), 3u);
    EXPECT_EQ(run.image().slot(1).parent_slot, 0u);
    EXPECT_EQ(run.image().slot(2).parent_slot, 1u);
    EXPECT_EQ(blocks_of(run.image(), 1, 50), 7);
    EXPECT_EQ(blocks_of(run.image(), 2, 50), 7);
}

TEST(Children, of_vfork_and_spawn_say_hello_for_themselves) {
    for (const char* way : {"vfork", "spawn"}) {
        Recording run({target_path("children"), way});
        expect_sound(run);
        ASSERT_EQ(run.collector.images().size(), 2u) << way;
        const Image& parent = *run.collector.images()[0];
        const Image& child = *run.collector.images()[1];
        EXPECT_EQ(child.hello().parent_pid, parent.hello().pid);
        EXPECT_EQ(blocks_of(parent, 0, 100), 20);
        // What a vfork child allocates lies in its parent's memory.
        EXPECT_EQ(blocks_of(parent, 0, 30), way == std::string("vfork") ? 1 : 0);
        EXPECT_EQ(blocks_of(child, 0, 50), 7);
    }
}

TEST(Children, by_exec_are_a_new_image_of_the_same_process) {
    Recording run({target_path("children"), "exec"});
    expect_sound(run);
    ASSERT_EQ(run.collector.images().size(), 2u);
    EXPECT_EQ(run.collector.images()[0]->hello().pid, run.collector.images()[1]->hello().pid);
    EXPECT_EQ(blocks_of(*run.collector.images()[0], 0, 100), 10);
    EXPECT_EQ(blocks_of(*run.collector.images()[1], 0, 50), 7);
}

TEST(Children, are_left_alone_when_not_followed) {
    for (const char* way : {"clone", "spawn", "vfork"}) {
        Recording run({target_path("children"), way}, {}, {"NATIVEHEAP_FOLLOW=no"});
        expect_sound(run);
        ASSERT_EQ(run.collector.images().size(), 1u) << way;
        EXPECT_EQ(live_slots(run.image()), 1u);
        EXPECT_EQ(blocks_of(run.image(), 0, 100), 20);
        EXPECT_EQ(blocks_of(run.image(), 0, 50), 0);
    }
}

TEST(Children, when_not_followed_see_no_trace_of_us_in_their_environment) {
    Recording run({"/bin/sh", "-c", "exec /usr/bin/env"}, {},
                  {"NATIVEHEAP_FOLLOW=no", "A=1", "NATIVEHEAP_SAMPLE=0", "B=2"});
    EXPECT_EQ(run.target.output.find("NATIVEHEAP"), std::string::npos);
    EXPECT_EQ(run.target.output.find("LD_PRELOAD"), std::string::npos);
    EXPECT_NE(run.target.output.find("A=1\n"), std::string::npos);
    EXPECT_NE(run.target.output.find("B=2\n"), std::string::npos);
}

TEST(Children, beyond_the_slots_run_unrecorded) {
    RegionSize one;
    one.slots = 1;
    Recording run({target_path("children"), "clone"}, one);
    expect_sound(run);
    EXPECT_EQ(blocks_of(run.image(), 0, 100), 20);
}

// What a child inherited, seen from its cuts: a block it frees without having made it was alive in its parent at the
// fork, by the parent's events before the cuts.
void expect_inherited_blocks_before_the_cut(const Image& image) {
    std::map<std::pair<uint32_t, uint32_t>, uint64_t> cuts;  // slot, ring → position
    std::map<uint64_t, std::vector<const Event*>> parents;   // address → events of slot 0
    for (const Event& event : image.events) {
        if (event.kind == wire::event_kind::fork_cut) {
            cuts[{event.slot, event.cut_ring}] = event.cut;
        } else if (event.slot == 0 && event.kind != wire::event_kind::thread) {
            parents[event.address].push_back(&event);
        }
    }
    std::map<uint32_t, std::set<uint64_t>> own;
    int checked = 0;
    for (const Event& event : image.events) {
        if (event.slot == 0) {
            continue;
        }
        if (event.kind == wire::event_kind::alloc) {
            own[event.slot].insert(event.address);
        }
        if (event.kind != wire::event_kind::release || own[event.slot].erase(event.address) == 1) {
            continue;
        }
        const Event* last = nullptr;
        for (const Event* before : parents[event.address]) {
            auto cut = cuts.find({event.slot, before->ring});
            bool is_before = cut != cuts.end() && before->position < cut->second;
            if (is_before && (last == nullptr || before->order > last->order)) {
                last = before;
            }
        }
        ASSERT_NE(last, nullptr);
        ASSERT_EQ(last->kind, wire::event_kind::alloc);
        checked++;
    }
    EXPECT_EQ(checked, 1000);
}

TEST(Forks, a_thousand_while_four_threads_allocate) {
    RegionSize many;
    many.slots = 1100;
    Collector collector(many);
    collector.most_bytes_a_round = 1000;  // so that the four threads mostly wait, with thousands of events a fork
    collector.start();
    Target target(collector.path(), {target_path("forks"), "1000"});
    target.wait();
    collector.stop();
    EXPECT_TRUE(target.succeeded());
    const Image& image = *collector.images().at(0);
    std::map<uint32_t, Totals> slots = settle_slots(image);
    ASSERT_EQ(slots.size(), 1001u);
    for (uint32_t slot = 1; slot <= 1000; slot++) {
        ASSERT_EQ(slots[slot].broken, "");
        ASSERT_EQ(slots[slot].allocated_bytes, 10 * 100);
        ASSERT_EQ(slots[slot].allocations, 10);
        ASSERT_EQ(slots[slot].frees, 5);
        ASSERT_EQ(slots[slot].foreign_frees, 1);
    }
    Recording idle({target_path("forks"), "nothing"}, many);
    EXPECT_EQ(slots[0].broken, "");
    expect_equal(target, slots[0] - idle.totals);
    expect_inherited_blocks_before_the_cut(image);
}

TEST(Forks, each_child_opens_with_the_cuts_its_slot_announces) {
    Recording run({target_path("children"), "nested"});
    std::map<uint32_t, uint32_t> cuts;
    std::map<uint32_t, bool> allocated;
    for (const Event& event : run.image().events) {
        allocated[event.slot] |= event.kind == wire::event_kind::alloc;
        if (event.kind == wire::event_kind::fork_cut) {
            cuts[event.slot]++;
            EXPECT_FALSE(allocated[event.slot]);
        }
    }
    for (uint32_t slot : {1u, 2u}) {
        EXPECT_EQ(cuts[slot], run.image().slot(slot).cut_ring_count);
        EXPECT_EQ(cuts[slot], 1u);
    }
}

}  // namespace
}  // namespace nh::test
