#include "tests/native/shim/collector.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace nh::test {

uint64_t monotonic_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

Collector::Collector(const RegionSize& size) : size_(size) {
    char folder[] = "/tmp/nativeheap-test.XXXXXX";
    if (mkdtemp(folder) == nullptr) {
        throw std::runtime_error("mkdtemp");
    }
    folder_ = folder;
    path_ = folder_ + "/socket";
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || listen(listener_, 64) != 0) {
        throw std::runtime_error("listen");
    }
}

Collector::~Collector() {
    stop();
    close(listener_);
    unlink(path_.c_str());
    rmdir(folder_.c_str());
}

void Collector::start() {
    thread_ = std::thread([this] { serve(); });
}

void Collector::stop() {
    if (thread_.joinable()) {
        stopping_ = true;
        thread_.join();
    }
}

pid_t Collector::start_in_child() {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(1);
        }
        serve();
        _exit(0);
    }
    return child;
}

void Collector::serve() {
    while (!stopping_) {
        pollfd waiting = {listener_, POLLIN, 0};
        if (poll(&waiting, 1, 1) > 0) {
            int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (connection >= 0) {
                welcome(connection);
                close(connection);
            }
        }
        round();
    }
    most_bytes_a_round = ~0ull;
    round();
}

void Collector::round() {
    if (only_handshake) {
        return;
    }
    for (auto& image : images_) {
        if (!clock_stands) {
            __atomic_store_n(&image->header().clock_ns, monotonic_ns(), __ATOMIC_RELAXED);
        }
        __atomic_store_n(&image->header().control, static_cast<uint32_t>(control.load()), __ATOMIC_RELAXED);
        image->drain(most_bytes_a_round);
        image->reclaim();
    }
}

void Collector::welcome(int connection) {
    wire::hello hello;
    if (recv(connection, &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello) || hello.magic != wire::hello_magic) {
        return;
    }
    wire::welcome welcome = {};
    welcome.magic = wire::hello_magic;
    welcome.version = answered_version;
    welcome.status = static_cast<uint32_t>(answer.load());
    auto image = std::make_unique<Image>(hello, size_);
    image->header().control = static_cast<uint32_t>(control.load());
    image->header().park_signal = park_signal;
    image->header().snapshot_signal = snapshot_signal;
    welcome.region_bytes = image->bytes();
    if (spoiled_offset != 0) {
        uint64_t value = spoiled_value;
        memcpy(reinterpret_cast<char*>(&image->header()) + spoiled_offset, &value, sizeof(value));
    }
    iovec piece = {&welcome, sizeof(welcome)};
    alignas(cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (answer == wire::welcome_status::accepted) {
        message.msg_control = room;
        message.msg_controllen = sizeof(room);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        int descriptor = image->descriptor();
        memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    }
    images_.push_back(std::move(image));
    sendmsg(connection, &message, MSG_NOSIGNAL);
}

}  // namespace nh::test
