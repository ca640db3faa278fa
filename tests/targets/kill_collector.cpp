// Hazard: a collector that dies in the middle. Joins it as the shim does, kills it, and prints what the kernel left in
// the region's owner word: "died" when it is marked. The shim has to be out of the way (LD_PRELOAD unset).
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "native/wire/wire.h"

namespace {

using namespace nh::wire;

int receive_descriptor(int socket, welcome* answer) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec piece = {answer, sizeof *answer};
    msghdr message = {};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg(socket, &message, MSG_WAITALL) != sizeof *answer || CMSG_FIRSTHDR(&message) == nullptr)
        return -1;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    return descriptor;
}

}  // namespace

int main() {
    const char* path = getenv("NATIVEHEAP_SOCKET");
    int link = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    hello greeting = {};
    greeting.magic = hello_magic;
    greeting.version = wire_version;
    greeting.peer = static_cast<uint32_t>(peer::shim);
    greeting.pid = static_cast<uint32_t>(getpid());
    welcome answer;
    if (connect(link, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        write(link, &greeting, sizeof greeting) != sizeof greeting)
        return 2;
    int memory = receive_descriptor(link, &answer);
    void* start = mmap(nullptr, answer.region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (start == MAP_FAILED)
        return 3;

    uint32_t* owner = reinterpret_cast<uint32_t*>(static_cast<region*>(start)->owner);
    uint32_t before = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
    ucred collector;
    socklen_t bytes = sizeof collector;
    getsockopt(link, SOL_SOCKET, SO_PEERCRED, &collector, &bytes);
    kill(collector.pid, SIGKILL);
    for (int looks = 0; looks < 30'000 && (__atomic_load_n(owner, __ATOMIC_ACQUIRE) & FUTEX_OWNER_DIED) == 0; looks++) {
        timespec pause = {0, 1'000'000};
        nanosleep(&pause, nullptr);
    }
    uint32_t after = __atomic_load_n(owner, __ATOMIC_ACQUIRE);
    printf("%s %s\n", (before & FUTEX_OWNER_DIED) == 0 && before != 0 ? "held" : "not held",
           (after & FUTEX_OWNER_DIED) != 0 ? "died" : "not marked");
    return 0;
}
