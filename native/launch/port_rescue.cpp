#include "native/launch/port_rescue.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace nh::launch {
namespace {

constexpr char setting[] = "NATIVEHEAP_SOCKET=";
constexpr char port_name[] = "dotnet";
constexpr char collector_name[] = "socket";

// The header of an IPC message, which is all that ResumeRuntime consists of: magic, bytes in all, command set Process,
// command ResumeRuntime, reserved (documentation/design-docs/ipc-protocol.md of dotnet/diagnostics).
struct ResumeRuntime {
    char magic[14] = "DOTNET_IPC_V1";
    uint16_t bytes = 20;
    uint8_t command_set = 4;
    uint8_t command = 1;
    uint16_t reserved = 0;
};
static_assert(sizeof(ResumeRuntime) == 20);

bool address_of(const char* folder, const char* name, sockaddr_un* address) {
    *address = {};
    address->sun_family = AF_UNIX;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", folder, name);
    return length > 0 && static_cast<size_t>(length) < sizeof address->sun_path;
}

int listen_at(const sockaddr_un& address) {
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return -1;
    unlink(address.sun_path);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 && listen(listener, 8) == 0)
        return listener;
    close(listener);
    return -1;
}

void remove_socket(const char* folder, const char* name) {
    sockaddr_un address;
    if (address_of(folder, name, &address))
        unlink(address.sun_path);
}

}  // namespace

void PortRescue::remember(const char* settings, size_t bytes) {
    const char* end = settings + bytes;
    for (const char* at = settings; at < end; at += strlen(at) + 1) {
        if (strncmp(at, setting, sizeof setting - 1) != 0)
            continue;
        const char* path = at + sizeof setting - 1;
        const char* slash = strrchr(path, '/');
        size_t length = slash != nullptr ? static_cast<size_t>(slash - path) : 0;
        if (length > 0 && length < sizeof folder_) {
            memcpy(folder_, path, length);
            folder_[length] = '\0';
        }
    }
}

void PortRescue::begin() {
    sockaddr_un address;
    if (folder_[0] == '\0' || listener_ >= 0 || !address_of(folder_, port_name, &address))
        return;
    mkdir(folder_, 0700);  // it is there unless the collector had time to clean up
    listener_ = listen_at(address);
}

void PortRescue::take_connection() {
    int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            close(listener_);  // no descriptors: better than asking again and again
            listener_ = -1;
        }
        return;
    }
    if (connections_[0] < 0) {
        ResumeRuntime command;
        connections_[0] = connection;
        // A new socket has room for it.
        (void)!send(connection, &command, sizeof command, MSG_NOSIGNAL);
        return;
    }
    if (connections_[1] >= 0)
        close(connections_[1]);
    connections_[1] = connection;
}

void PortRescue::end() {
    if (folder_[0] == '\0')
        return;
    remove_socket(folder_, port_name);
    remove_socket(folder_, collector_name);
    rmdir(folder_);
}

}  // namespace nh::launch
