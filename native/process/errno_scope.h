// errno as it was, at the end of a scope.
#pragma once
#include <errno.h>

namespace nh::process {

class ErrnoScope {
  public:
    ErrnoScope() : at_(&errno), saved_(*at_) {}
    ~ErrnoScope() { *at_ = saved_; }
    ErrnoScope(const ErrnoScope&) = delete;
    ErrnoScope& operator=(const ErrnoScope&) = delete;

  private:
    int* at_;
    int saved_;
};

}  // namespace nh::process
