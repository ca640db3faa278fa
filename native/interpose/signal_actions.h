// The functions by which a program sets what signals do, for signal_actions.cpp to stand in between.
#pragma once
#include <stdint.h>

#include "native/interpose/real.h"

namespace nh::interpose {

constexpr uint32_t most_signal_detours = 2;

// Fills in their detours and returns how many; to be called before any symbol is changed, for what is behind them is
// looked up by name.
uint32_t list_signal_detours(Detour (&detours)[most_signal_detours]);

}  // namespace nh::interpose
