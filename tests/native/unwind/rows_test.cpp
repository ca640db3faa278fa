// Rows of functions that are known by hand.
#include "native/unwind/rows.h"

#include <gtest/gtest.h>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {

const char* find_lazy_stub();  // lazy_stub.cpp

namespace {

Row row_at(const void* return_address) {
    prepare();
    bool keep = false;
    const Row row = compile_row(reinterpret_cast<uintptr_t>(return_address), &keep);
    EXPECT_TRUE(keep);
    return row;
}

// A stored pc for an interruption at the start of the instruction.
const void* interrupted(const void* instruction) {
    return static_cast<const char*>(instruction) + 1;
}

BothWalks taken;
void take() {
    taken = take_both();
}

TEST(Rows, a_row_keeps_its_three_parts_whatever_their_signs) {
    const Row row(RowKind::from_fp, -Row::most_cfa_offset, -123456789);
    EXPECT_EQ(row.kind(), RowKind::from_fp);
    EXPECT_EQ(row.cfa_offset(), -Row::most_cfa_offset);
    EXPECT_EQ(row.fp_offset(), -123456789);
    EXPECT_EQ(Row(RowKind::from_sp, Row::most_cfa_offset, Row::fp_at_fp).cfa_offset(), Row::most_cfa_offset);
    EXPECT_EQ(Row(RowKind::from_sp, Row::most_cfa_offset, Row::fp_at_fp).fp_offset(), Row::fp_at_fp);
}

TEST(Rows, stack_pointer_frame_at_its_call) {
    const Row row = row_at(known_rsp_return);
    EXPECT_EQ(row.kind(), RowKind::from_sp);
    EXPECT_EQ(row.cfa_offset(), 8 + 8 + 8 + 40);
    EXPECT_EQ(row.fp_offset(), -16);
}

TEST(Rows, stack_pointer_frame_at_its_first_and_second_instruction) {
    const auto start = reinterpret_cast<const char*>(known_rsp);
    EXPECT_EQ(row_at(interrupted(start)).bits(), Row(RowKind::from_sp, 8, Row::fp_unchanged).bits());
    EXPECT_EQ(row_at(interrupted(start + 1)).bits(), Row(RowKind::from_sp, 16, -16).bits());
}

TEST(Rows, frame_pointer_frame_at_its_call) {
    EXPECT_EQ(row_at(known_rbp_return).bits(), Row(RowKind::from_fp, 16, -16).bits());
}

TEST(Rows, realigned_frame_at_its_call) {
    EXPECT_EQ(row_at(known_drap_return).bits(), Row(RowKind::from_fp_word, -8, Row::fp_at_fp).bits());
}

TEST(Rows, frame_by_another_register_is_left_to_the_exact_walk) {
    EXPECT_EQ(row_at(known_rbx_return).kind(), RowKind::exact);
    EXPECT_EQ(row_at(interrupted(reinterpret_cast<const char*>(known_drap) + 5)).kind(), RowKind::exact);
}

TEST(Rows, a_found_row_is_the_compiled_one) {
    prepare();
    const auto pc = reinterpret_cast<uintptr_t>(known_rsp_return);
    EXPECT_EQ(find_row(pc).bits(), row_at(known_rsp_return).bits());
    EXPECT_EQ(find_row(pc).bits(), row_at(known_rsp_return).bits());
}

// Every stub of a lazily bound PLT: 16 bytes, `jmp *slot; push index; jmp first`. After the push the return address
// lies one word higher.
TEST(Rows, stubs_of_the_lazy_procedure_linkage_table) {
    const char* stub = find_lazy_stub();
    ASSERT_NE(stub, nullptr);
    EXPECT_EQ(row_at(interrupted(stub)).bits(), Row(RowKind::from_sp, 8, Row::fp_unchanged).bits());
    EXPECT_EQ(row_at(interrupted(stub + 6)).bits(), Row(RowKind::from_sp, 8, Row::fp_unchanged).bits());
    EXPECT_EQ(row_at(interrupted(stub + 11)).bits(), Row(RowKind::from_sp, 16, Row::fp_unchanged).bits());
}

void through_all() {
    known_rsp([] { known_rbp([] { known_drap([] { known_rsp(take); }); }); });
}

TEST(Rows, walk_through_known_frames) {
    through_all();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_FALSE(taken.exact);
    EXPECT_EQ(count_frames(taken.ours.pcs, known_rsp,
                           static_cast<size_t>(known_rsp_end - reinterpret_cast<const char*>(known_rsp))),
              2u);
}

TEST(Rows, exact_walk_through_frames_by_other_registers) {
    known_rsp([] { known_rbx([] { known_drap([] { known_r12([] { known_rbp(take); }); }); }); });
    expect_same(taken);
    EXPECT_TRUE(taken.exact);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Rows, an_undefined_return_address_is_the_root) {
    known_root(take);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_EQ(taken.ours.pcs.size(), 2u);
}

TEST(Rows, code_that_is_nowhere_has_no_row) {
    prepare();
    bool keep = true;
    EXPECT_EQ(compile_row(0x10001, &keep).kind(), RowKind::uncovered);
    EXPECT_FALSE(keep);
}

}  // namespace
}  // namespace nh::unwind::test
