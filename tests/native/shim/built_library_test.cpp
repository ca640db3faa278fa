// What the built file asks of a system, read from the file itself.
#include <gtest/gtest.h>
#include <stdio.h>

#include <cstring>
#include <set>
#include <sstream>
#include <string>

#include "tests/native/shim/target.h"

namespace nh::test {
namespace {

std::string output_of(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    char buffer[4096];
    while (size_t got = fread(buffer, 1, sizeof(buffer), pipe)) {
        text.append(buffer, got);
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    return text;
}

std::set<std::string> needed() {
    std::istringstream lines(output_of("readelf -dW " + shim_path()));
    std::set<std::string> names;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("(NEEDED)") != std::string::npos) {
            names.insert(line.substr(line.find('[') + 1, line.find(']') - line.find('[') - 1));
        }
    }
    return names;
}

// Which musl takes for itself; of glibc's loader it has nothing.
TEST(BuiltLibrary, needs_libc_alone) {
    EXPECT_EQ(needed(), (std::set<std::string>{"libc.so.6"}));
}

TEST(BuiltLibrary, asks_for_nothing_newer_than_glibc_2_28) {
    std::string symbols = output_of("readelf --dyn-syms -W " + shim_path());
    int found = 0;
    for (size_t at = symbols.find("@GLIBC_"); at != std::string::npos; at = symbols.find("@GLIBC_", at + 1)) {
        int major = 0, minor = 0;
        ASSERT_GE(sscanf(symbols.c_str() + at, "@GLIBC_%d.%d", &major, &minor), 2) << symbols.substr(at, 30);
        EXPECT_EQ(major, 2);
        EXPECT_LE(minor, 28) << symbols.substr(at - 40, 60);
        found++;
    }
    EXPECT_GT(found, 0);
}

TEST(BuiltLibrary, exports_the_interposed_functions_and_its_interface_and_nothing_else) {
    std::istringstream lines(output_of("nm -D --defined-only " + shim_path()));
    std::set<std::string> exported;
    for (std::string line; std::getline(lines, line);) {
        exported.insert(line.substr(line.rfind(' ') + 1));
    }
    EXPECT_EQ(exported, (std::set<std::string>{"malloc",
                                               "calloc",
                                               "realloc",
                                               "reallocarray",
                                               "free",
                                               "posix_memalign",
                                               "aligned_alloc",
                                               "memalign",
                                               "valloc",
                                               "pvalloc",
                                               "malloc_usable_size",
                                               "free_sized",
                                               "free_aligned_sized",
                                               "dlopen",
                                               "dlmopen",
                                               "dlsym",
                                               "dlvsym",
                                               "dlclose",
                                               "__libc_start_main",
                                               "exit",
                                               "_exit",
                                               "_Exit",
                                               "quick_exit",
                                               "execve",
                                               "execv",
                                               "execvp",
                                               "execvpe",
                                               "fexecve",
                                               "execl",
                                               "execlp",
                                               "execle",
                                               "sigaction",
                                               "signal",
                                               "__lsan_disable",
                                               "__lsan_enable",
                                               "__lsan_ignore_object",
                                               "__lsan_register_root_region",
                                               "__lsan_unregister_root_region",
                                               "__lsan_do_leak_check",
                                               "__lsan_do_recoverable_leak_check",
                                               "nativeheap_attach",
                                               "nativeheap_detach",
                                               "nativeheap_under_loader_lock",
                                               "DllGetClassObject",
                                               "nativeheap_block_allocated",
                                               "nativeheap_block_freed",
                                               "nativeheap_check",
                                               "nativeheap_is_recording",
                                               "nativeheap_record",
                                               "nativeheap_snapshot"}));
}

TEST(BuiltLibrary, takes_four_words_of_static_thread_storage) {
    std::istringstream lines(output_of("readelf -lW " + shim_path()));
    bool found = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string type, offset, address, physical, file_bytes, bytes;
        words >> type >> offset >> address >> physical >> file_bytes >> bytes;
        if (type == "TLS") {
            found = true;
            EXPECT_EQ(std::stoul(bytes, nullptr, 16), 4 * sizeof(void*));
        }
    }
    EXPECT_TRUE(found);
}

TEST(BuiltLibrary, binds_nothing_lazily_and_is_never_unloaded) {
    std::string dynamic = output_of("readelf -dW " + shim_path());
    EXPECT_NE(dynamic.find("NOW NODELETE"), std::string::npos) << dynamic;
}

}  // namespace
}  // namespace nh::test
