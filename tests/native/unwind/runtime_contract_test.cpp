// The runtime's own description of its tables, whole and damaged.
#include "native/unwind/runtime_contract.h"

#include <gtest/gtest.h>
#include <string.h>

#include <random>

#include "native/unwind/contract_json.h"
#include "tests/native/unwind/fake_runtime.h"

namespace nh::unwind::test {
namespace {

bool reads(const std::string& text, RuntimeContract* contract) {
    return read_runtime_contract(FakeRuntime::instance().descriptor_for(text), contract);
}

std::string replaced(const std::string& what, const std::string& by) {
    std::string text = FakeRuntime::contract_text();
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), by);
}

TEST(RuntimeContract, offsets_and_globals_are_read_from_the_description) {
    RuntimeContract contract{};
    ASSERT_TRUE(reads(FakeRuntime::contract_text(), &contract));
    EXPECT_EQ(contract.top_level_data, 16u);
    EXPECT_EQ(contract.fragment.begin, 16u);
    EXPECT_EQ(contract.section.r2r_module, 24u);
    EXPECT_EQ(contract.code_header.unwind_infos, 24u);
    EXPECT_EQ(contract.last_stub_kind, 15u);
    EXPECT_EQ(contract.thread_link, 72u);
    EXPECT_NE(contract.code_range_map, 0u);
    EXPECT_NE(contract.thread_store, 0u);
    EXPECT_EQ(contract.method_desc.dynamic_name, 24u);
}

TEST(RuntimeContract, versions_may_be_texts) {
    RuntimeContract contract{};
    EXPECT_TRUE(reads(
        replaced("\"ExecutionManager\":2,\"Thread\":1", "\"ExecutionManager\":\"c2\",\"Thread\":[\"c1\"]"), &contract));
    EXPECT_NE(contract.thread_store, 0u);
}

TEST(RuntimeContract, unknown_versions_are_refused) {
    RuntimeContract contract{};
    EXPECT_FALSE(reads(replaced("\"ExecutionManager\":2", "\"ExecutionManager\":3"), &contract));
    EXPECT_FALSE(reads(replaced("\"ExecutionManager\":2", "\"ExecutionManager\":\"c3\""), &contract));
    EXPECT_FALSE(reads(replaced("\"x64\"", "\"arm64\""), &contract));
    EXPECT_FALSE(reads(replaced("\"!\":12", "\"!\":8"), &contract));
}

TEST(RuntimeContract, without_the_thread_contract_only_hijacks_are_not_followed) {
    for (const char* what : {"\"Thread\":1", "\"FirstThreadLink\"", "\"LinkNext\"", "\"ThreadStore\":[["}) {
        RuntimeContract contract{};
        ASSERT_TRUE(
            reads(replaced(what, std::string("\"Other\":") + (strchr(what, ':') ? strchr(what, ':') + 1 : "0,\"X\"")),
                  &contract))
            << what;
        EXPECT_EQ(contract.thread_store, 0u) << what;
    }
}

TEST(RuntimeContract, every_other_field_is_needed) {
    for (const char* field : {"TopLevelData",
                              "RangeBegin",
                              "RangeEndOpen",
                              "\"RangeSection\":24",
                              "Next",
                              "Flags",
                              "HeapList",
                              "R2RModule",
                              "MapBase",
                              "HeaderMap",
                              "MethodDesc\":0",
                              "GCInfo",
                              "NumUnwindInfos",
                              "UnwindInfos\":24",
                              "ReadyToRunInfo\":4",
                              "CompositeInfo",
                              "NumRuntimeFunctions",
                              "RuntimeFunctions\":3",
                              "StubCodeBlockLast",
                              "ExecutionManagerCodeRangeMapAddress"}) {
        RuntimeContract contract{};
        std::string renamed = field;
        renamed[renamed[0] == '"' ? 1 : 0] = '?';
        EXPECT_FALSE(reads(replaced(field, renamed), &contract)) << field;
    }
}

TEST(RuntimeContract, a_pointer_beyond_the_pointer_data_is_refused) {
    RuntimeContract contract{};
    EXPECT_FALSE(reads(replaced("[[1],", "[[3],"), &contract));
    EXPECT_FALSE(reads(replaced("[[1],", "[[99999999999999999999],"), &contract));
    EXPECT_FALSE(reads(replaced("[[1],", "[[0],"), &contract));  // null
    EXPECT_FALSE(reads(replaced("\"TopLevelData\":16", "\"TopLevelData\":16000000"), &contract));
}

TEST(RuntimeContract, a_text_that_ends_early_is_refused_at_every_length) {
    const std::string text = FakeRuntime::contract_text();
    for (size_t length = 0; length < text.size() - 15; ++length) {
        RuntimeContract contract{};
        EXPECT_FALSE(reads(text.substr(0, length), &contract)) << length;
    }
}

TEST(RuntimeContract, no_text_whatever_faults) {
    const std::string good = FakeRuntime::contract_text();
    const uintptr_t descriptor = FakeRuntime::instance().descriptor_for(good);
    uintptr_t text;
    memcpy(&text, reinterpret_cast<void*>(descriptor + 16), sizeof(text));
    std::mt19937 random(3);
    const char bytes[] = "{}[]\",:\\0x9 a";
    for (int i = 0; i < 20000; ++i) {
        memcpy(reinterpret_cast<void*>(text), good.data(), good.size());
        for (uint32_t j = random() % 8 + 1; j != 0; --j) {
            reinterpret_cast<char*>(text)[random() % good.size()] = bytes[random() % (sizeof(bytes) - 1)];
        }
        RuntimeContract contract{};
        read_runtime_contract(descriptor, &contract);
    }
}

TEST(RuntimeContract, a_descriptor_that_is_none_is_refused) {
    RuntimeContract contract{};
    EXPECT_FALSE(read_runtime_contract(0, &contract));
    EXPECT_FALSE(read_runtime_contract(4096, &contract));
    const uintptr_t descriptor = FakeRuntime::instance().descriptor_for(FakeRuntime::contract_text());
    for (uintptr_t at : {descriptor, descriptor + 8, descriptor + 16}) {
        auto byte = reinterpret_cast<uint8_t*>(at);
        const uint8_t kept = *byte;
        *byte = static_cast<uint8_t>(kept ^ 0x83);
        RuntimeContract broken{};
        EXPECT_FALSE(read_runtime_contract(descriptor, &broken)) << at - descriptor;
        *byte = kept;
    }
}

TEST(ContractJson, members_are_found_whatever_stands_between) {
    const std::string text =
        R"( { "a\"b" : [ "}", { "x" : 1 } ] , "c":{"d":"0x1F","e":[12,"t"],"f":-1,"g":18446744073709551616}} )";
    const ContractJson root(text.data(), text.data() + text.size());
    uint64_t value = 0;
    EXPECT_TRUE(root.member("c").member("d").number(&value));
    EXPECT_EQ(value, 31u);
    EXPECT_TRUE(root.member("c").member("e").first().number(&value));
    EXPECT_EQ(value, 12u);
    EXPECT_FALSE(root.member("c").member("f").number(&value));
    EXPECT_FALSE(root.member("c").member("g").number(&value));
    EXPECT_FALSE(root.member("x"));
    EXPECT_FALSE(root.member("c").member("d").member("e"));
    EXPECT_TRUE(root.member("c").member("d").is_text("0x1F"));
    EXPECT_FALSE(root.member("c").member("d").is_text("0x1"));
}

}  // namespace
}  // namespace nh::unwind::test
