#include "native/process/settings.h"

#include <string.h>

#include "native/transport/handshake.h"
#include "native/transport/raw_file.h"

namespace nh::process {
namespace {

constexpr char prefix[] = "NATIVEHEAP_";

// Each reads a value into the settings and says what is wrong with it, or null.
const char* read_socket(const char* value, Settings* out) {
    if (value[0] == 0 || strlen(value) > transport::most_path_bytes) {
        return "must be the path of a Unix socket, at most 107 bytes";
    }
    out->socket = value;
    return nullptr;
}

constexpr uint64_t most_bytes = 1ull << 40;

// Bytes of a size, or none.
bool read_size(const char* value, uint64_t* out) {
    struct Unit {
        const char* name;
        uint64_t bytes;
    };
    static constexpr Unit units[] = {{"", 1},
                                     {"B", 1},
                                     {"KB", 1000},
                                     {"KiB", 1 << 10},
                                     {"MB", 1000'000},
                                     {"MiB", 1ull << 20},
                                     {"GB", 1000'000'000},
                                     {"GiB", 1ull << 30}};
    uint64_t number = 0;
    const char* rest = value;
    for (; *rest >= '0' && *rest <= '9' && number <= most_bytes; rest++) {
        number = number * 10 + static_cast<uint64_t>(*rest - '0');
    }
    for (const Unit& unit : units) {
        if (rest != value && strcmp(rest, unit.name) == 0 && number <= most_bytes / unit.bytes) {
            *out = number * unit.bytes;
            return true;
        }
    }
    return false;
}

const char* read_out(const char* value, Settings* out) {
    out->out = value;
    return value[0] != 0 && strlen(value) <= transport::most_raw_path_bytes
               ? nullptr
               : "must be a file name of at most 4000 bytes";
}

const char* read_out_limit(const char* value, Settings* out) {
    return read_size(value, &out->out_limit) && out->out_limit >= transport::smallest_raw_file
               ? nullptr
               : "must be a size such as 512MiB, from 64MiB to 1024GiB";
}

const char* read_sample(const char* value, Settings* out) {
    return read_size(value, &out->sample_bytes) ? nullptr : "must be a size such as 512KiB, at most 1024GiB";
}

const char* read_answer(const char* value, bool* out) {
    *out = strcmp(value, "yes") == 0;
    return *out || strcmp(value, "no") == 0 ? nullptr : "must be yes or no";
}

const char* read_mmap(const char* value, Settings* out) {
    return read_answer(value, &out->mappings);
}

const char* read_follow(const char* value, Settings* out) {
    return read_answer(value, &out->follow);
}

struct Setting {
    const char* name;  // after NATIVEHEAP_
    const char* (*read)(const char* value, Settings* out);
};
constexpr Settings defaults = {nullptr, nullptr, 4ull << 30, 0, false, true};
#define NH_SETTING(name, read, initial, meaning) {#name, read},
constexpr Setting table[] = {
#include "native/process/settings.def"
};
#undef NH_SETTING

#define NH_SETTING(name, read, initial, meaning) " NATIVEHEAP_" #name
constexpr char unknown[] =
    "is no setting (there are"
#include "native/process/settings.def"
    ")";
#undef NH_SETTING

const char* read_variable(const char* variable, Settings* out) {
    const char* name = variable + sizeof(prefix) - 1;
    const char* equals = strchr(name, '=');
    size_t length = equals != nullptr ? static_cast<size_t>(equals - name) : strlen(name);
    for (const Setting& setting : table) {
        if (strlen(setting.name) == length && memcmp(setting.name, name, length) == 0 && equals != nullptr) {
            return setting.read(equals + 1, out);
        }
    }
    return unknown;
}

}  // namespace

const char* read_settings(char** environment, Settings* out, const char** culprit) {
    *out = defaults;
    for (char** variable = environment; *variable != nullptr; variable++) {
        if (strncmp(*variable, prefix, sizeof(prefix) - 1) == 0) {
            const char* wrong = read_variable(*variable, out);
            if (wrong != nullptr) {
                *culprit = *variable;
                return wrong;
            }
        }
    }
    return nullptr;
}

}  // namespace nh::process
