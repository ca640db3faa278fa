#include "native/transport/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <initializer_list>

#include "native/transport/kernel.h"
#include "native/transport/shown_page.h"

namespace nh::transport {
namespace {

constexpr int wait_seconds = 5;  // of each step; a collector that lives answers in milliseconds
constexpr int most_interruptions = 1000;

// A descriptor that is closed with its scope: targets must find their own numbers untouched.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(long number) : number_(static_cast<int>(number)) {}
    ~Descriptor() {
        if (number_ >= 0) {
            kernel::close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    void take(int number) {
        if (number_ >= 0) {
            kernel::close(number_);
        }
        number_ = number;
    }
    int number() const { return number_; }
    bool open() const { return number_ >= 0; }

  private:
    int number_ = -1;
};

template <typename Call>
long repeat_interrupted(Call call) {
    long result = -EINTR;
    for (int i = 0; i < most_interruptions && result == -EINTR; i++) {
        result = call();
    }
    return result;
}

}  // namespace

uint64_t region_limit() {
    rlimit limit = {};
    kernel::call(SYS_prlimit64, 0, RLIMIT_AS, 0, kernel::address(&limit));
    return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur == 0 ? 0 : limit.rlim_cur / 8;
}

namespace {

bool connect_to(const Descriptor& socket, const char* path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path, most_path_bytes);
    // For a Unix socket the send timeout bounds connect too (unix_stream_connect in net/unix/af_unix.c).
    timeval wait = {wait_seconds, 0};
    for (int option : {SO_SNDTIMEO, SO_RCVTIMEO}) {
        kernel::call(SYS_setsockopt, socket.number(), SOL_SOCKET, option, kernel::address(&wait), sizeof(wait));
    }
    return repeat_interrupted([&] {
               return kernel::call(SYS_connect, socket.number(), kernel::address(&address), sizeof(address));
           }) == 0;
}

// Whoever listens gets to know what we do, and hands us memory: it must be our own user, or root. A path in a folder
// that all may write to can be somebody else's by the time a program starts.
bool trusted(const Descriptor& socket, ucred* peer) {
    socklen_t bytes = sizeof(*peer);
    return kernel::call(SYS_getsockopt, socket.number(), SOL_SOCKET, SO_PEERCRED, kernel::address(peer),
                        kernel::address(&bytes)) == 0 &&
           (peer->uid == 0 || peer->uid == static_cast<uid_t>(kernel::call(SYS_geteuid)));
}

// Where only ancestors may trace a process (scope 1 of Yama), it has to say who else may; nobody minds elsewhere. The
// one place for that name is free at an image's start, but for somebody who is the program's own ancestor, who needs it
// not.
void permit_tracing_by(const ucred& peer) {
    if (peer.pid > 0) {
        kernel::call(SYS_prctl, PR_SET_PTRACER, peer.pid, 0, 0, 0);
    }
}

bool send_hello(const Descriptor& socket, const Greeting& greeting) {
    wire::hello hello = {};
    hello.magic = wire::hello_magic;
    hello.version = wire::wire_version;
    hello.peer = static_cast<uint32_t>(wire::peer::shim);
    hello.pid = static_cast<uint32_t>(kernel::call(SYS_getpid));
    hello.parent_pid = static_cast<uint32_t>(kernel::call(SYS_getppid));
    hello.region_limit = region_limit();
    hello.sample_bytes = greeting.sample_bytes;
    hello.start_ns = greeting.start_ns;
    hello.flags = (greeting.attached ? wire::hello_attached : 0) | (greeting.mappings ? wire::hello_mappings : 0);
    return repeat_interrupted([&] {
               return kernel::call(SYS_sendto, socket.number(), kernel::address(&hello), sizeof(hello), MSG_NOSIGNAL);
           }) == sizeof(hello);
}

// Takes the descriptor out of a message; a second one, which nobody sends, would be closed.
void take_descriptor(msghdr* message, Descriptor* memory) {
    for (cmsghdr* part = CMSG_FIRSTHDR(message); part != nullptr; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS &&
            part->cmsg_len >= CMSG_LEN(sizeof(int))) {
            int number;
            memcpy(&number, CMSG_DATA(part), sizeof(number));
            memory->take(number);
        }
    }
}

bool receive_welcome(const Descriptor& socket, wire::welcome* welcome, Descriptor* memory) {
    size_t have = 0;
    while (have < sizeof(*welcome)) {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec piece = {reinterpret_cast<char*>(welcome) + have, sizeof(*welcome) - have};
        msghdr message = {};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        long got = repeat_interrupted(
            [&] { return kernel::call(SYS_recvmsg, socket.number(), kernel::address(&message), MSG_CMSG_CLOEXEC); });
        if (got <= 0) {
            return false;
        }
        take_descriptor(&message, memory);
        have += static_cast<size_t>(got);
    }
    return welcome->magic == wire::hello_magic;
}

Joined map_region(const Descriptor& memory, uint64_t bytes, Region* out) {
    struct stat status = {};
    if (!memory.open() || kernel::call(SYS_fstat, memory.number(), kernel::address(&status)) != 0 ||
        status.st_size < 0 || static_cast<uint64_t>(status.st_size) != bytes) {
        return Joined::refused;
    }
    void* base = kernel::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.number());
    if (kernel::is_error(base)) {
        return Joined::refused;
    }
    kernel::madvise(base, bytes, MADV_DONTDUMP);
    if (!view_region(base, bytes, out) || !show_page(memory.number())) {
        kernel::munmap(base, bytes);
        return Joined::refused;
    }
    return Joined::yes;
}

}  // namespace

Joined join(const Greeting& greeting, Region* out) {
    Descriptor socket(kernel::call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    wire::welcome welcome = {};
    Descriptor memory;
    ucred peer = {};
    if (!socket.open() || !connect_to(socket, greeting.socket_path) || !trusted(socket, &peer)) {
        return Joined::nobody;
    }
    permit_tracing_by(peer);
    if (!send_hello(socket, greeting) || !receive_welcome(socket, &welcome, &memory)) {
        return Joined::nobody;
    }
    auto status = static_cast<wire::welcome_status>(welcome.status);
    if (welcome.version != wire::wire_version || status == wire::welcome_status::wrong_version) {
        return Joined::wrong_version;
    }
    if (status != wire::welcome_status::accepted) {
        return Joined::refused;
    }
    return map_region(memory, welcome.region_bytes, out);
}

}  // namespace nh::transport
