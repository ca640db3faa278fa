// The calling-context tree: what is found again, wide nodes, full trees, many threads, scribbled memory.
#include "native/stacks/tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace nh::stacks {
namespace {

class SharedTree {
  public:
    explicit SharedTree(uint32_t capacity) : nodes(capacity) {
        EXPECT_TRUE(tree.open({nodes.data(), capacity, &count}));
    }

    uint32_t insert(const std::vector<uint64_t>& outermost_first) {
        uint32_t node = 0;
        for (uint64_t pc : outermost_first) {
            node = tree.child(node, pc);
            if (node == 0) {
                return 0;
            }
        }
        return node;
    }

    std::vector<uint64_t> path(uint32_t node) const {
        std::vector<uint64_t> pcs;
        while (node != 0) {
            EXPECT_LT(nodes[node].parent, node);
            pcs.insert(pcs.begin(), nodes[node].pc);
            node = nodes[node].parent;
        }
        return pcs;
    }

    // Nodes that are in their parent's list: all of them, unless an insertion was lost.
    uint32_t listed() const {
        uint32_t found = 0;
        for (uint32_t node = 0; node < count; ++node) {
            for (uint32_t at = nodes[node].first_child; at != 0; at = nodes[at].next_sibling) {
                EXPECT_EQ(nodes[at].parent, node);
                ++found;
            }
        }
        return found;
    }

    std::vector<wire::node> nodes;
    uint32_t count = 1;
    ContextTree tree{};
};

constexpr uint64_t tree_full = static_cast<uint64_t>(wire::marker::tree_full);
constexpr uint64_t entry_calloc = static_cast<uint64_t>(wire::marker::entry_calloc);

TEST(Tree, the_same_stack_is_the_same_node) {
    SharedTree shared(1000);
    const uint32_t leaf = shared.insert({0x5000, 0x6000, 0x7000});
    EXPECT_EQ(shared.insert({0x5000, 0x6000, 0x7000}), leaf);
    EXPECT_NE(shared.insert({0x5000, 0x6000, 0x7001}), leaf);
    EXPECT_NE(shared.insert({0x5000, 0x6001, 0x7000}), leaf);
    EXPECT_EQ(shared.insert({0x5000, 0x6000, 0x7000}), leaf);
    EXPECT_EQ(shared.path(leaf), (std::vector<uint64_t>{0x5000, 0x6000, 0x7000}));
}

TEST(Tree, a_wide_node_holds_each_child_once) {
    constexpr uint32_t children = 50000;
    SharedTree shared(100000);
    const uint32_t parent = shared.insert({0x5000});
    std::map<uint64_t, uint32_t> made;
    for (uint32_t i = 0; i < children; ++i) {
        made[0x10000 + i * 5] = shared.tree.child(parent, 0x10000 + i * 5);
    }
    const uint32_t count = shared.count;
    std::mt19937 random(3);
    for (uint32_t i = 0; i < 20000; ++i) {
        const uint64_t pc = 0x10000 + random() % children * 5;
        ASSERT_EQ(shared.tree.child(parent, pc), made[pc]);
    }
    EXPECT_EQ(shared.count, count);
}

TEST(Tree, four_threads_insert_at_once_and_every_path_is_right) {
    constexpr uint32_t stacks = 20000;
    SharedTree shared(2000000);
    std::vector<uint32_t> leaves[4];
    const auto stack_of = [](uint32_t number) {
        std::mt19937 random(number % 5000);
        std::vector<uint64_t> pcs(3 + random() % 20);
        for (size_t depth = 0; depth < pcs.size(); ++depth) {
            pcs[depth] = 0x10000 * (depth + 1) + random() % (depth == 2 ? 200 : 3);
        }
        return pcs;
    };
    std::thread threads[4];
    for (int t = 0; t < 4; ++t) {
        threads[t] = std::thread([&, t] {
            for (uint32_t i = 0; i < stacks; ++i) {
                leaves[t].push_back(shared.insert(stack_of(i * (t % 2 == 0 ? 1 : 7))));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (int t = 0; t < 4; ++t) {
        for (uint32_t i = 0; i < stacks; ++i) {
            ASSERT_EQ(shared.path(leaves[t][i]), stack_of(i * (t % 2 == 0 ? 1 : 7)));
        }
    }
    EXPECT_EQ(shared.listed(), shared.count - 1);
    // Racing threads may make a child twice, but only while they race.
    std::set<std::vector<uint64_t>> distinct;
    for (uint32_t number = 0; number < 5000; ++number) {
        std::vector<uint64_t> pcs = stack_of(number);
        for (; !pcs.empty(); pcs.pop_back()) {
            distinct.insert(pcs);
        }
    }
    EXPECT_LT(shared.count, distinct.size() + distinct.size() / 10 + 100);
}

TEST(Tree, a_full_tree_keeps_the_known_frames_and_says_that_it_is_full) {
    SharedTree shared(320);
    uint32_t last = 0;
    uint32_t node = 0;
    for (uint64_t pc = 0x5000; node != 0 || last == 0; ++pc) {
        last = node != 0 ? node : last;
        node = shared.tree.child(last, pc);
    }
    const uint32_t leaf = shared.tree.full_leaf(last, wire::marker::entry_calloc);
    std::vector<uint64_t> expected = shared.path(last);
    expected.push_back(tree_full);
    expected.push_back(entry_calloc);
    EXPECT_EQ(shared.path(leaf), expected);
    EXPECT_EQ(shared.tree.full_leaf(last, wire::marker::entry_calloc), leaf);
    EXPECT_EQ(shared.insert({0x5000}), 0u + shared.tree.child(0, 0x5000));
}

TEST(Tree, a_tree_without_any_node_left_still_gives_a_leaf) {
    SharedTree shared(wire::first_code_address);
    std::vector<uint32_t> parents;
    for (uint64_t pc = 0x5000;; ++pc) {
        const uint32_t node = shared.tree.child(0, pc);
        if (node == 0) {
            break;
        }
        parents.push_back(node);
    }
    std::vector<uint64_t> last;
    for (uint32_t parent : parents) {
        const uint32_t leaf = shared.tree.full_leaf(parent, wire::marker::entry_calloc);
        ASSERT_NE(leaf, 0u);
        ASSERT_LT(leaf, shared.nodes.size());
        last = shared.path(leaf);
        ASSERT_EQ(last[last.size() - 1], entry_calloc);
        ASSERT_EQ(last[last.size() - 2], tree_full);
    }
    EXPECT_EQ(last, (std::vector<uint64_t>{tree_full, entry_calloc}));
    EXPECT_LE(shared.count, shared.nodes.size());
}

TEST(Tree, a_full_trees_counter_does_not_run_away) {
    SharedTree shared(min_tree_capacity);
    shared.count = 0xFFFFFFFE;
    for (uint64_t i = 0; i < 10; ++i) {
        EXPECT_EQ(shared.tree.child(0, 0x5000 + i), 0u);
        EXPECT_NE(shared.tree.full_leaf(0, wire::marker::entry_malloc), 0u);
    }
    EXPECT_EQ(shared.count, 0xFFFFFFFE);
}

TEST(Tree, a_counter_that_was_turned_back_gives_no_child_before_its_parent) {
    SharedTree shared(1000);
    uint32_t parent = 0;
    for (uint64_t pc = 0x5000; pc < 0x5000 + 100; ++pc) {
        parent = shared.tree.child(parent, pc);
    }
    shared.count = 50;
    EXPECT_EQ(shared.tree.child(parent, 0x9000), 0u);
    const uint32_t leaf = shared.tree.full_leaf(parent, wire::marker::entry_malloc);
    EXPECT_GT(leaf, shared.nodes[leaf].parent);
}

TEST(Tree, a_tree_that_is_too_small_is_refused) {
    std::vector<wire::node> nodes(min_tree_capacity);
    uint32_t count = 1;
    ContextTree tree{};
    EXPECT_FALSE(tree.open({nodes.data(), min_tree_capacity - 1, &count}));
}

// Another process of the fork tree shares the nodes; whatever it writes there, nothing outside is touched and no
// search goes on for ever.
TEST(Tree, scribbled_nodes_lead_nowhere_outside) {
    std::mt19937_64 random(11);
    for (int round = 0; round < 20; ++round) {
        constexpr uint32_t capacity = 2000;
        constexpr uint64_t canary = 0x1122334455667788;
        std::vector<wire::node> nodes(capacity + 64);
        uint32_t count = 1;
        for (uint32_t i = capacity; i < nodes.size(); ++i) {
            nodes[i].pc = canary;
        }
        ContextTree tree{};
        ASSERT_TRUE(tree.open({nodes.data(), capacity, &count}));
        for (int step = 0; step < 3000; ++step) {
            uint32_t node = 0;
            for (int depth = 0; depth < 5; ++depth) {
                const uint32_t next = tree.child(node, 0x5000 + random() % 40);
                ASSERT_LT(next, capacity);
                node = next != 0 ? next : node;
            }
            ASSERT_LT(tree.full_leaf(node, wire::marker::entry_malloc), capacity);
            if (step % 10 == 0) {
                auto words = reinterpret_cast<uint32_t*>(nodes.data());
                const uint64_t word = random() % (capacity * sizeof(wire::node) / 4);
                words[word] = static_cast<uint32_t>((random() & 1) != 0 ? random() : random() % (2 * capacity));
            }
            if (step % 500 == 0) {
                count = static_cast<uint32_t>(random() % (2 * capacity));
            }
        }
        for (uint32_t i = capacity; i < nodes.size(); ++i) {
            ASSERT_EQ(nodes[i].pc, canary);
        }
    }
}

}  // namespace
}  // namespace nh::stacks
