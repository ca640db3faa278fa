#include "native/launch/port_rescue.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
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

constexpr char ports_variable[] = "DOTNET_DiagnosticPorts";
constexpr size_t most_message = 20 * 1024;

// An IPC message to a runtime (documentation/design-docs/ipc-protocol.md of dotnet/diagnostics): a header, then strings
// as UTF-16 behind their length, ending zero included.
class Message {
  public:
    enum Command : uint8_t { resume_runtime = 1, set_environment_variable = 3 };

    explicit Message(Command command) {
        constexpr uint8_t process_commands = 4;
        constexpr char magic[14] = "DOTNET_IPC_V1";
        put(magic, sizeof magic);
        put_number<uint16_t>(0);  // bytes in all, see send_to
        put_number(process_commands);
        put_number(static_cast<uint8_t>(command));
        put_number<uint16_t>(0);
    }

    // Null: no value. A byte becomes a letter of its own: names and paths of ports have no others.
    void add(const char* text) {
        uint32_t letters = text != nullptr ? static_cast<uint32_t>(strlen(text)) + 1 : 0;
        put_number(letters);
        for (uint32_t i = 0; i < letters; i++)
            put_number(static_cast<uint16_t>(static_cast<uint8_t>(text[i])));
    }

    // A new socket has room for it.
    void send_to(int connection) {
        if (overflowed_)
            return;
        uint16_t bytes = static_cast<uint16_t>(bytes_);
        memcpy(text_ + 14, &bytes, sizeof bytes);
        (void)!send(connection, text_, bytes_, MSG_NOSIGNAL);
    }

  private:
    void put(const void* from, size_t bytes) {
        overflowed_ |= bytes > sizeof text_ - bytes_;
        if (!overflowed_) {
            memcpy(text_ + bytes_, from, bytes);
            bytes_ += bytes;
        }
    }
    template <typename Number>
    void put_number(Number number) {
        put(&number, sizeof number);
    }

    uint8_t text_[most_message];
    size_t bytes_ = 0;
    bool overflowed_ = false;
};

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
    uint32_t place = taken_ < 2 ? taken_ : 2;
    taken_++;
    if (place == 0) {
        Message forget(Message::set_environment_variable);
        forget.add(ports_variable);
        forget.add(getenv(ports_variable));  // what the user set, or nothing
        forget.send_to(connection);
    } else if (place == 1) {
        Message(Message::resume_runtime).send_to(connection);
    }
    if (connections_[place] >= 0)
        close(connections_[place]);
    connections_[place] = connection;
}

void PortRescue::end() {
    if (folder_[0] == '\0')
        return;
    remove_socket(folder_, port_name);
    remove_socket(folder_, collector_name);
    rmdir(folder_);
}

}  // namespace nh::launch
