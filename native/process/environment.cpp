#include "native/process/environment.h"

#include <string.h>
#include <unistd.h>

#include <initializer_list>

#include "native/process/elf_lookup.h"
#include "native/transport/kernel.h"

extern "C" {
extern void* __libc_stack_end __attribute__((weak));  // glibc's; musl sets __environ before it runs any code
extern char** __environ;
}

namespace nh::process {
namespace {

const char* own_name() {
    for (const link_map* library = loaded_libraries(); library != nullptr; library = library->l_next) {
        if (is_this_library(library)) {
            return library->l_name;
        }
    }
    return "";
}

const char* base_name(const char* path) {
    const char* slash = strrchr(path, '/');
    return slash != nullptr ? slash + 1 : path;
}

bool is_own(const char* entry, size_t length) {
    const char* own = base_name(own_name());
    size_t own_length = strlen(own);
    return length >= own_length && own_length != 0 && memcmp(entry + length - own_length, own, own_length) == 0 &&
           (length == own_length || entry[length - own_length - 1] == '/');
}

// Shortens the list in place. ld.so takes spaces and colons as separators.
void drop_own_entry(char* list) {
    char* to = list;
    for (const char* from = list; *from != 0;) {
        size_t length = strcspn(from, " :");
        size_t separator = from[length] != 0 ? 1 : 0;
        if (!is_own(from, length)) {
            memmove(to, from, length + separator);
            to += length + separator;
        }
        from += length + separator;
    }
    *to = 0;
}

bool starts_with(const char* text, const char* start) {
    return strncmp(text, start, strlen(start)) == 0;
}

}  // namespace

char** environment() {
    if (__environ != nullptr) {
        return __environ;
    }
    // Before libc's own constructor: argc, argv, null, environment as the kernel laid them out (psABI, 3.4.1).
    static char* none[] = {nullptr};
    auto** stack = &__libc_stack_end != nullptr ? static_cast<char**>(__libc_stack_end) : nullptr;
    if (stack == nullptr) {
        return none;
    }
    auto argument_count = reinterpret_cast<uintptr_t>(stack[0]);
    return argument_count < (1u << 22) && stack[argument_count + 1] == nullptr ? stack + argument_count + 2 : none;
}

void leave_no_trace_in_environment(char** environment) {
    constexpr char preload[] = "LD_PRELOAD=";
    char** to = environment;
    for (char** from = environment; *from != nullptr; from++) {
        bool keep = !starts_with(*from, "NATIVEHEAP_");
        if (starts_with(*from, preload)) {
            char* list = *from + sizeof(preload) - 1;
            drop_own_entry(list);
            keep = *list != 0;
        }
        if (keep) {
            *to++ = *from;
        }
    }
    *to = nullptr;
}

void say(const char* subject, const char* what) {
    char line[512];
    size_t length = 0;
    for (const char* part : {"nativeheap: ", subject, " ", what}) {
        size_t more = strnlen(part, sizeof(line) - 1 - length);
        memcpy(line + length, part, more);
        length += more;
    }
    line[length++] = '\n';
    transport::kernel::call(SYS_write, STDERR_FILENO, transport::kernel::address(line), static_cast<long>(length));
}

}  // namespace nh::process
