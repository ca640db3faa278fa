// Windows unwind information, hand-made.
#include "native/unwind/windows_unwind.h"

#include <gtest/gtest.h>
#include <string.h>
#include <sys/mman.h>

#include <random>

#include "tests/native/unwind/fake_runtime.h"

namespace nh::unwind::test {
namespace {

// Two readable pages with an unreadable one behind them; tables are put where asked.
class Image {
  public:
    static constexpr uintptr_t bytes = 2 * page_bytes;

    Image() {
        memory_ = mmap(nullptr, bytes + page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(static_cast<char*>(memory_) + bytes, page_bytes, PROT_NONE);
    }
    ~Image() { munmap(memory_, bytes + page_bytes); }
    Image(const Image&) = delete;

    uintptr_t base() const { return reinterpret_cast<uintptr_t>(memory_); }
    void put(uint32_t offset, const Bytes& data) {
        memcpy(static_cast<char*>(memory_) + offset, data.data(), data.size());
    }

  private:
    void* memory_;
};

constexpr RuntimeFunction function = {0x100, 0x200, 0x40};

bool run(const Image& image, uint32_t executed, FrameRules* rules, RuntimeFunction of = function) {
    CarefulReader reader;
    return run_windows_unwind(reader, image.base(), of, image.base() + of.begin + executed, rules);
}

void expect_frame(const FrameRules& rules, uint8_t base, int64_t cfa) {
    EXPECT_EQ(rules.cfa_register, base);
    EXPECT_EQ(rules.cfa_offset, cfa);
    EXPECT_EQ(rules.kind[rip], RuleKind::at_offset);
    EXPECT_EQ(rules.value[rip], -8);
}

void expect_saved(const FrameRules& rules, RegisterNumber number, int64_t value) {
    EXPECT_EQ(rules.kind[number], RuleKind::at_offset);
    EXPECT_EQ(rules.value[number], value);
}

TEST(WindowsUnwind, only_the_prologue_s_instructions_that_were_executed_are_undone) {
    Image image;
    image.put(0x40, frame_by_stack_pointer(0x1000).unwind);
    FrameRules rules;
    ASSERT_TRUE(run(image, 0, &rules));
    expect_frame(rules, rsp, 8);
    EXPECT_EQ(rules.kind[rbp], RuleKind::same);
    ASSERT_TRUE(run(image, 1, &rules));
    expect_frame(rules, rsp, 16);
    expect_saved(rules, rbp, -16);
    EXPECT_EQ(rules.kind[rbx], RuleKind::same);
    ASSERT_TRUE(run(image, 2, &rules));
    expect_frame(rules, rsp, 24);
    ASSERT_TRUE(run(image, 9, &rules));
    expect_frame(rules, rsp, 24 + 0x1000);
    expect_saved(rules, rbp, -16);
    expect_saved(rules, rbx, -24);
    ASSERT_TRUE(run(image, 200, &rules));
    expect_frame(rules, rsp, 24 + 0x1000);
}

TEST(WindowsUnwind, a_frame_register_replaces_the_stack_pointer_once_it_is_set) {
    Image image;
    image.put(0x40, frame_by_register(0x8000).unwind);
    FrameRules rules;
    ASSERT_TRUE(run(image, 15, &rules));
    expect_frame(rules, rsp, 16 + 0x8000);
    ASSERT_TRUE(run(image, 16, &rules));
    expect_frame(rules, rbp, 16);
    expect_saved(rules, rbp, -16);
}

TEST(WindowsUnwind, small_allocations_and_near_frame_registers) {
    Image image;
    // At 9: SET_FPREG; at 5: ALLOC_SMALL 48; at 3: PUSH R14; at 1: PUSH RBP. Frame register RBP, offset 2 * 16.
    image.put(0x40, {1, 9, 4, 0x25, 9, 0x03, 5, 0x52, 3, 0xE0, 1, 0x50});
    FrameRules rules;
    ASSERT_TRUE(run(image, 50, &rules));
    expect_frame(rules, rbp, -32 + 48 + 8 + 8 + 8);
    expect_saved(rules, rbp, -16);
    expect_saved(rules, r14, -24);
}

TEST(WindowsUnwind, large_allocations_in_bytes) {
    Image image;
    image.put(0x40, {1, 7, 3, 0, 7, 0x11, 0x08, 0x00, 0x12, 0x00});
    FrameRules rules;
    ASSERT_TRUE(run(image, 7, &rules));
    expect_frame(rules, rsp, 0x120008 + 8);
}

TEST(WindowsUnwind, registers_saved_by_moves) {
    Image image;
    // At 13: SAVE_NONVOL_FAR R15 at 0x30; at 9: SAVE_NONVOL RBP at 5 * 8; at 4: ALLOC_SMALL 56.
    image.put(0x40, {1, 13, 6, 0, 13, 0xF5, 0x30, 0, 0, 0, 9, 0x54, 5, 0, 4, 0x62});
    FrameRules rules;
    ASSERT_TRUE(run(image, 13, &rules));
    expect_frame(rules, rsp, 64);
    expect_saved(rules, rbp, 40 - 64);
    expect_saved(rules, r15, 48 - 64);
}

TEST(WindowsUnwind, xmm_saves_and_version_2_epilogues_take_their_slots) {
    Image image;
    // EPILOG, SAVE_XMM128 (2 slots), SAVE_XMM128_FAR (3 slots), ALLOC_SMALL 8.
    image.put(0x40, {2, 20, 8, 0, 3, 0x06, 0, 0, 20, 0x68, 2, 0, 12, 0x79, 0, 1, 0, 0, 4, 0x02});
    FrameRules rules;
    ASSERT_TRUE(run(image, 20, &rules));
    expect_frame(rules, rsp, 16);
}

TEST(WindowsUnwind, chained_information_goes_on_with_its_parent) {
    Image image;
    // Of a fragment: ALLOC_SMALL 16 and, behind the made-even slots, its parent at 0x80, which pushed RBP.
    image.put(0x40, {1 | 4 << 3, 4, 1, 0, 4, 0x12, 0, 0, 0x20, 0, 0, 0, 0xFF, 0, 0, 0, 0x80, 0, 0, 0});
    image.put(0x80, {1, 1, 1, 0, 1, 0x50});
    FrameRules rules;
    ASSERT_TRUE(run(image, 4, &rules));
    expect_frame(rules, rsp, 16 + 8 + 8);
    expect_saved(rules, rbp, -16);
}

TEST(WindowsUnwind, what_makes_no_sense_is_refused) {
    Image image;
    FrameRules rules;
    const Bytes senseless[] = {
        {0, 1, 1, 0, 1, 0x50},              // version
        {3, 1, 1, 0, 1, 0x50},              //
        {1, 1, 1, 0, 1, 0x01},              // an operation of 2 slots in 1
        {1, 1, 1, 0, 1, 0x0A},              // machine frame
        {1, 1, 3, 0, 1, 0x07, 0, 0, 0, 0},  // unused
        {1, 1, 1, 0, 1, 0x0C},              //
        {1, 1, 1, 0, 1, 0x03},              // sets a frame register that is none
    };
    for (const Bytes& info : senseless) {
        image.put(0x40, info);
        EXPECT_FALSE(run(image, 1, &rules)) << int{info[0]} << ' ' << int{info[5]};
    }
    // A circle of chained information.
    image.put(0x40, {1 | 4 << 3, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0x40, 0, 0, 0});
    EXPECT_FALSE(run(image, 1, &rules));
}

TEST(WindowsUnwind, what_cannot_be_read_is_refused) {
    Image image;
    FrameRules rules;
    const Bytes info = frame_by_stack_pointer(64).unwind;
    for (uint32_t behind = 1; behind < info.size(); ++behind) {
        const auto offset = static_cast<uint32_t>(Image::bytes - behind);
        image.put(offset, Bytes(info.begin(), info.begin() + behind));
        EXPECT_FALSE(run(image, 20, &rules, {0x100, 0x200, offset})) << behind;
    }
    EXPECT_FALSE(run(image, 20, &rules, {0x100, 0x200, Image::bytes}));
    EXPECT_FALSE(run(image, 20, &rules, {0x100, 0x200, 0x7FFFFFFF}));
}

TEST(WindowsUnwind, no_table_whatever_faults) {
    Image image;
    std::mt19937 random(11);
    uint32_t understood = 0;
    for (int i = 0; i < 200000; ++i) {
        Bytes bytes(40);
        for (uint8_t& byte : bytes) {
            byte = static_cast<uint8_t>(random());
        }
        bytes[0] = static_cast<uint8_t>((bytes[0] & 0xF8) | 1);
        bytes[2] %= 24;
        const auto offset = static_cast<uint32_t>(Image::bytes - bytes.size());
        image.put(offset, bytes);
        FrameRules rules;
        understood += run(image, random() % 64, &rules, {0x100, 0x200, offset + static_cast<uint32_t>(random() % 4)});
    }
    EXPECT_GT(understood, 1000u);
}

}  // namespace
}  // namespace nh::unwind::test
