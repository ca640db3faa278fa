// Stands in for a dead collector at its diagnostic port, where a .NET target may be waiting to be told to go on.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace nh::launch {

class PortRescue {
  public:
    // The target was given these settings (NUL-terminated, back to back): NATIVEHEAP_SOCKET names the folder.
    void remember(const char* settings, size_t bytes);

    // The collector is gone and the target is not: listens where the collector did. Without a port it does nothing.
    void begin();

    // For poll(2): a runtime has connected. -1: not listening.
    int descriptor() const { return listener_; }

    // Takes a connection; a runtime takes one command from each. The first makes it forget our port, for it gives its
    // processes the environment that it started with; the second tells it to go on. What comes after that is held
    // silently, for a runtime that is hung up on connects again and again.
    void take_connection();

    // The target is gone: removes the sockets and the folder that a dead collector left behind.
    void end();

  private:
    char folder_[108] = "";  // empty: no port
    int listener_ = -1;
    uint32_t taken_ = 0;
    int connections_[3] = {-1, -1, -1};  // the first, the second, the latest
};

}  // namespace nh::launch
