#include "native/process/runtime_port.h"

#include <stddef.h>
#include <string.h>

#include "native/process/process.h"
#include "native/transport/handshake.h"

extern "C" char** __environ;

namespace nh::process {
namespace {

constexpr char variable[] = "DOTNET_DiagnosticPorts=";
constexpr char old_variable[] = "COMPlus_DiagnosticPorts=";  // read by the runtime when the other is not set
constexpr char port_name[] = "dotnet";
constexpr char options[] = ",suspend";
constexpr size_t most_entries = 4096;
constexpr size_t most_text = 4096;

char port[transport::most_path_bytes + sizeof(port_name)];  // empty: none
char entry[most_text];
char* table[most_entries];  // the environment with the entry in it
char** before;              // the environment as it was; null: nothing was set
char* replaced;             // the user's own entry

bool starts_with(const char* text, const char* start) {
    return strncmp(text, start, strlen(start)) == 0;
}

char** find(char** environment, const char* name) {
    while (*environment != nullptr && !starts_with(*environment, name)) {
        environment++;
    }
    return environment;
}

// The text's new end, null when there is no room.
char* append(char* to, const char* text) {
    size_t bytes = strlen(text) + 1;
    if (to == nullptr || bytes > static_cast<size_t>(entry + sizeof(entry) - to)) {
        return nullptr;
    }
    memcpy(to, text, bytes);
    return to + bytes - 1;
}

bool write_entry(const char* users_ports) {
    char* end = append(entry, variable);
    if (*users_ports != 0) {
        end = append(append(end, users_ports), ";");
    }
    return append(append(end, port), options) != nullptr;
}

bool is_awaited() {
    return port[0] != 0 && transport::recording_mark() != 0 && transport::slot_of(transport::recording_mark()) == 0 &&
           region.header->awaits_runtime != 0 && transport::Patience(region).look() == transport::Written::yes;
}

const char* value_of(const char* setting) {
    return setting != nullptr ? strchr(setting, '=') + 1 : "";
}

// Somebody set variables while the runtime started: theirs stay.
void take_out_of(char** environment) {
    char** at = environment;
    while (*at != nullptr && *at != entry) {
        at++;
    }
    if (*at == nullptr) {
        return;
    }
    if (replaced != nullptr) {
        *at = replaced;
        return;
    }
    for (; *at != nullptr; at++) {
        *at = at[1];
    }
}

}  // namespace

void remember_runtime_port(const char* socket_path) {
    const char* slash = strrchr(socket_path, '/');
    size_t folder = slash != nullptr ? static_cast<size_t>(slash + 1 - socket_path) : 0;
    // Commas and semicolons stand between options and ports (ds-ipc.c of the runtime).
    if (folder == 0 || folder + strlen(port_name) > transport::most_path_bytes ||
        strpbrk(socket_path, ",;") != nullptr) {
        return;
    }
    memcpy(port, socket_path, folder);
    memcpy(port + folder, port_name, sizeof(port_name));
}

void begin_runtime_start() {
    if (before != nullptr || __environ == nullptr || !is_awaited()) {
        return;
    }
    char** users = find(__environ, variable);
    const char* ports = *users != nullptr ? *users : *find(__environ, old_variable);
    if (!write_entry(value_of(ports))) {
        return;
    }
    size_t count = 0;
    for (char** from = __environ; *from != nullptr; from++) {
        if (count + 2 >= most_entries) {
            return;
        }
        table[count++] = from == users ? entry : *from;
    }
    replaced = *users;
    if (replaced == nullptr) {
        table[count++] = entry;
    }
    table[count] = nullptr;
    before = __environ;
    __environ = table;
}

void end_runtime_start() {
    if (before == nullptr) {
        return;
    }
    if (__environ == table) {
        __environ = before;
    } else if (__environ != nullptr) {
        take_out_of(__environ);
    }
    before = nullptr;
}

}  // namespace nh::process
